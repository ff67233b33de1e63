// What users get wrong, on the built program: the problem, its place and what to type next. The cases are text:
// `## name`, `$ arguments` (else `run p.yml`), files behind `--- name`, `=>`, what is said.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rota } from './rota.ts'

interface Case {
  readonly name: string
  readonly args: readonly string[]
  readonly files: readonly (readonly [string, string])[]
  readonly said: string
}

const cases = readFileSync(join(import.meta.dirname, 'broken.cases.txt'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((text): Case => {
    const [input = '', said = ''] = text.split(/^=>\n/m)
    const [head = '', ...files] = input.split(/^--- /m)
    const [name, command = '$ run p.yml'] = head.trim().split('\n')
    return {
      name: name!,
      args: command.slice(2).split(' '),
      files: files.map(file => [file.slice(0, file.indexOf('\n')), file.slice(file.indexOf('\n') + 1)]),
      said: said.trim(),
    }
  })

/** Problems, places, hints and warnings; no results and no source lines. */
function problemsIn(text: string): string {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => /^(E_|ERROR!|→|\S+:\d+:\d+$|\[WARNING\]: (?!No inventory was parsed))/.test(line))
    .join('\n')
}

describe('what a user gets wrong', () => {
  it('is much', () => expect(cases.length).toBeGreaterThan(30))
  it.each(cases)('$name', ({ args, files, said }) => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rota-broken-')))
    for (const [name, text] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const { exit, stdout, stderr } = rota(folder, args)
    rmSync(folder, { recursive: true })
    const found = problemsIn(stdout + stderr)
      .replaceAll(`${folder}/`, '')
      .replaceAll(folder, '.')
    expect(`exit ${exit}\n${found}`.trim()).toBe(said)
  })
})
