import { problem } from '../../core/error.ts'

/** Ansible's collectors that always run, unless `!min` or their own name says otherwise. */
const minimum = [
  'apparmor',
  'cmdline',
  'date_time',
  'distribution',
  'dns',
  'env',
  'fips',
  'loadavg',
  'local',
  'lsb',
  'pkg_mgr',
  'platform',
  'python',
  'selinux',
  'service_mgr',
  'ssh_pub_keys',
  'user',
]
const others = ['hardware', 'network', 'virtual']
/** Known to Ansible, and nothing here: other programs' facts, and facts of hardware that rota does not read. */
const empty = [
  'facter',
  'ohai',
  'caps',
  'chroot',
  'fibre_channel_wwn',
  'iscsi',
  'nvme',
  'system_capabilities',
  'system_capabilities_enforced',
  'is_chroot',
]
/** Facts that can be named instead of their collector. */
const aliases: Readonly<Record<string, string>> = {
  architecture: 'platform',
  kernel: 'platform',
  kernel_version: 'platform',
  machine: 'platform',
  machine_id: 'platform',
  python_version: 'platform',
  system: 'platform',
  distribution_major_version: 'distribution',
  distribution_release: 'distribution',
  distribution_version: 'distribution',
  os_family: 'distribution',
  ssh_host_pub_keys: 'ssh_pub_keys',
  ssh_host_key_dsa_public: 'ssh_pub_keys',
  ssh_host_key_ecdsa_public: 'ssh_pub_keys',
  ssh_host_key_ed25519_public: 'ssh_pub_keys',
  ssh_host_key_rsa_public: 'ssh_pub_keys',
  effective_group_ids: 'user',
  effective_user_id: 'user',
  real_user_id: 'user',
  user_dir: 'user',
  user_gecos: 'user',
  user_gid: 'user',
  user_id: 'user',
  user_shell: 'user',
  user_uid: 'user',
  virtualization_role: 'virtual',
  virtualization_tech_guest: 'virtual',
  virtualization_tech_host: 'virtual',
  virtualization_type: 'virtual',
  devices: 'hardware',
  mounts: 'hardware',
  processor: 'hardware',
  processor_cores: 'hardware',
  processor_count: 'hardware',
  all_ipv4_addresses: 'network',
  all_ipv6_addresses: 'network',
  default_ipv4: 'network',
  default_ipv6: 'network',
  interfaces: 'network',
}
/** What a collector needs of another one. */
const needs: Readonly<Record<string, readonly string[]>> = {
  pkg_mgr: ['distribution'],
  service_mgr: ['distribution', 'platform'],
}

/**
 * The collectors that `gather_subset` asks for: names, `all`, `min`, and each of them with `!` in front. As in Ansible the minimum
 * is added unless `!min` is given, and a name alone asks for itself and the minimum. Throws E_PARAMS for a name that is none.
 */
export function selectCollectors(subset: readonly string[]): ReadonlySet<string> {
  const refused = subset.filter(each => each.startsWith('!')).map(each => each.slice(1))
  const asked = subset.filter(each => !each.startsWith('!'))
  const base = refused.includes('min') ? [] : minimum
  const wanted = asked.length > 0 ? asked.flatMap(expand) : others
  // `!all` leaves the minimum; `!all, !min` leaves nothing.
  const unwanted = new Set(refused.flatMap(name => (name === 'all' ? others : expand(name))))
  const named = new Set(asked.filter(name => name !== 'all').flatMap(expand))
  const chosen = [...base, ...wanted].filter(name => !unwanted.has(name) || named.has(name))
  return new Set(chosen.flatMap(name => [name, ...(needs[name] ?? [])]))
}

function expand(name: string): readonly string[] {
  if (name === 'all') return [...minimum, ...others]
  if (name === 'min') return minimum
  if (empty.includes(name)) return []
  if (minimum.includes(name) || others.includes(name)) return [name]
  const alias = aliases[name]
  if (alias !== undefined) return [alias]
  throw problem('E_PARAMS', `gather_subset: there is no subset "${name}"`, {
    hint: `one of all, min, ${[...others, ...minimum].join(', ')}; a ! in front leaves it out`,
  })
}
