// Names under which playbooks call modules: each resolves to the module that is meant.
import { expect, it } from 'vitest'
import { modules } from '../../src/modules/index.generated.ts'
import { createRegistry } from '../../src/modules/registry.ts'

const registry = createRegistry(modules)

it.each([
  [
    'ansible.builtin',
    [
      'copy',
      'pip',
      'git',
      'iptables',
      'apt_key',
      'deb822_repository',
      'expect',
      'service',
      'systemd_service',
    ],
  ],
  ['ansible.legacy', ['command', 'yum']],
  ['ansible.posix', ['synchronize', 'mount', 'sysctl', 'authorized_key']],
  ['community.general', ['npm', 'redis', 'ini_file', 'archive', 'apk']],
  ['community.mysql', ['mysql_user', 'mysql_db']],
  ['community.postgresql', ['postgresql_user', 'postgresql_db', 'postgresql_query']],
  ['community.docker', ['docker_container', 'docker_container_exec', 'docker_compose_v2']],
])('%s', (collection, names) => {
  for (const name of names) {
    expect([name, registry.get(`${collection}.${name}`)?.name]).toEqual([name, name])
    expect(registry.get(name)).toBe(registry.get(`${collection}.${name}`))
  }
})

it('takes no collection that it does not know', () => {
  for (const name of [
    'community.copy',
    'other.builtin.copy',
    'ansible.builtin.',
    'ansible.builtin.nothing',
    '',
  ])
    expect([name, registry.get(name)]).toEqual([name, undefined])
})
