import type { Module, Registry } from '../core/module.ts'

/** Collections whose modules rota has under their short names. */
const collections = [
  'ansible.builtin.',
  'ansible.legacy.',
  'ansible.posix.',
  'community.general.',
  'community.postgresql.',
  'community.docker.',
  'community.mysql.',
]

/** Modules by name; a collection's prefix is taken off (`ansible.builtin.copy` is `copy`). */
export function createRegistry(modules: readonly Module[]): Registry {
  const byName = new Map(modules.map(module => [module.name, module]))
  return {
    get(name) {
      const prefix = collections.find(collection => name.startsWith(collection))
      return byName.get(prefix ? name.slice(prefix.length) : name)
    },
    names: () => [...byName.keys()].sort(),
  }
}
