// Every state module has cases that take it through its life: check (nothing changes), apply, again (unchanged), undo (as before), under
// dash, busybox and bash. The table says where; a new state module without a row fails here.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Module } from '../../src/core/module.ts'
import { modules } from '../../src/modules/index.generated.ts'

/** File below test/, and what has to stand in it; or the module that it is another name of. */
type Row = { readonly file: string; readonly has: RegExp } | { readonly sameAs: string }

const cases = (file: string, name: string): Row => ({
  file,
  has: new RegExp(`describeCases\\(\\s*${name}\\b`),
})
const lives = (file: string, name: string): Row => ({
  file,
  has: new RegExp(`\\bmodule: ${name}\\b|of \\[.*\\b${name}\\b.*\\]`),
})

const rows: Readonly<Record<string, Row>> = {
  age_file: { file: 'modules/age.test.ts', has: /ageFile|age_file/ },
  apk: lives('modules/package.test.ts', 'apk'),
  apt: lives('modules/package.test.ts', 'apt'),
  apt_key: lives('modules/apt-trust.test.ts', 'aptKey'),
  apt_repository: lives('modules/package.test.ts', 'aptRepository'),
  assemble: cases('modules/find.test.ts', 'assemble'),
  authorized_key: cases('modules/access.test.ts', 'authorizedKey'),
  blockinfile: cases('modules/text.test.ts', 'blockinfile'),
  copy: cases('modules/copy.test.ts', 'copy'),
  cron: cases('modules/access.test.ts', 'cron'),
  deb822_repository: lives('modules/apt-trust.test.ts', 'deb822Repository'),
  debconf: lives('modules/marks.test.ts', 'debconf'),
  dnf: lives('modules/package.test.ts', 'dnf'),
  docker_container: lives('modules/host.test.ts', 'dockerContainer'),
  dpkg_selections: lives('modules/package.test.ts', 'dpkgSelections'),
  env_file: cases('modules/env-file.test.ts', 'env_file'),
  file: cases('modules/file.test.ts', 'file'),
  group: lives('modules/account.test.ts', 'group'),
  hostname: lives('modules/host.test.ts', 'hostname'),
  ini_file: cases('modules/ini-file.test.ts', 'iniFile'),
  known_hosts: cases('modules/access.test.ts', 'knownHosts'),
  lineinfile: cases('modules/text.test.ts', 'lineinfile'),
  mount: lives('modules/host.test.ts', 'mount'),
  mysql_user: { file: 'services/mysql.test.ts', has: /'dash', 'busybox', 'bash'/ },
  iptables: { file: 'modules/iptables.test.ts', has: /live\(.*iptables|module: iptables/ },
  package: lives('modules/package.test.ts', 'packageModule'),
  postgresql_user: { file: 'services/postgres.test.ts', has: /each\(\['busybox', 'bash'\]\)/ },
  redis_user: { file: 'services/redis.test.ts', has: /'dash', 'busybox', 'bash'/ },
  replace: cases('modules/text.test.ts', 'replace'),
  service: lives('modules/service.test.ts', 'service'),
  sysctl: lives('modules/host.test.ts', 'sysctl'),
  systemd: lives('modules/service.test.ts', 'systemd'),
  systemd_service: { sameAs: 'systemd' },
  template: { file: 'modules/copy.test.ts', has: /describeCases\(\s*template\b/ },
  user: lives('modules/account.test.ts', 'user'),
  yum: { sameAs: 'dnf' },
}

const byName = new Map(modules.map(module => [module.name, module]))
const states = modules.filter(({ kind }) => kind === 'state')
const writeOf = (module: Module | undefined) => (module?.kind === 'state' ? module.write : undefined)

describe('the life of a state module', () => {
  it('has a row for each, and for no other', () =>
    expect(Object.keys(rows).sort()).toEqual(states.map(({ name }) => name).sort()))

  it.each(Object.entries(rows))('%s', (name, row) => {
    if ('sameAs' in row) {
      expect(writeOf(byName.get(name))).toBe(writeOf(byName.get(row.sameAs)))
      return
    }
    const text = readFileSync(join(import.meta.dirname, '..', row.file), 'utf8')
    expect(text).toMatch(row.has)
    expect(text).toMatch(/describeCases\(|each\(Object\.keys\(shells\)\)|'busybox', 'bash'/)
  })
})
