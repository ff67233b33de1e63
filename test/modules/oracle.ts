// Ansible's own modules, asked for what they return. ansible-core is a Debian package; without it these tests skip.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const python = '/usr/bin/python3'
export const hasAnsible = spawnSync(python, ['-c', 'import ansible.modules.find']).status === 0
if (!hasAnsible) {
  if (process.env['CI']) throw new Error('ansible-core is missing')
  console.log('skipped: ansible-core is not installed')
}

/** Programs that Ansible wants to find even where it does not use them. */
function standIns(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rota-stand-ins-'))
  writeFileSync(join(folder, 'crontab'), '#!/bin/sh\nexec busybox crontab "$@"\n')
  chmodSync(join(folder, 'crontab'), 0o755)
  return folder
}

/** What Ansible's module returns for each of the arguments, in order. */
export function askAnsible(
  module: string,
  cases: readonly Readonly<Record<string, unknown>>[],
): readonly Readonly<Record<string, unknown>>[] {
  const programs = standIns()
  const ran = spawnSync(python, [join(import.meta.dirname, 'ansible-oracle.py')], {
    input: cases.map(args => `${JSON.stringify({ module, args })}\n`).join(''),
    maxBuffer: 1e8,
    env: { ...process.env, PATH: `${programs}:${process.env['PATH']}` },
  })
  rmSync(programs, { recursive: true })
  return ran.stdout
    .toString()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** Debian's package `ansible` has the collections; the tests do not ask for it, since it is big. */
export const hasCollections =
  spawnSync(python, ['-c', 'import ansible_collections.community.general.plugins.modules.ini_file'])
    .status === 0
if (!hasCollections) console.log('skipped: the Debian package ansible with its collections is not installed')
