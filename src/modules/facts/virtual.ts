import type { Raw } from './distribution.ts'

/** Makers' names in the firmware, and what they virtualise with. */
const firmware: readonly (readonly [RegExp, string])[] = [
  [/KVM|Standard PC|Bochs|QEMU|Red Hat|Google|Amazon EC2|DigitalOcean|Hetzner|OpenStack/i, 'kvm'],
  [/VMware/i, 'VMware'],
  [/VirtualBox|innotek/i, 'virtualbox'],
  [/Virtual Machine|Microsoft Corporation/i, 'VirtualPC'],
  [/Parallels/i, 'parallels'],
  [/Xen/i, 'xen'],
]
const containers: Readonly<Record<string, string>> = {
  lxc: 'lxc',
  podman: 'podman',
  docker: 'docker',
  'systemd-nspawn': 'container',
}

/** virtualization_*: the innermost first, a container in a virtual machine is a container. */
export function renderVirtual(raw: Raw): Record<string, unknown> {
  const guests = [...new Set([findContainer(raw), findMachine(raw)].filter(each => each !== undefined))]
  const isContainer = findContainer(raw) !== undefined
  const hosts = raw['kvm_host'] ? ['kvm'] : []
  const type = guests[0] ?? hosts[0] ?? 'NA'
  return {
    virtualization_type: type,
    virtualization_role: guests.length > 0 ? 'guest' : hosts.length > 0 ? 'host' : 'NA',
    virtualization_tech_guest: [...guests, ...(isContainer ? ['container'] : [])],
    virtualization_tech_host: hosts,
  }
}

function findContainer(raw: Raw): string | undefined {
  const named = raw['container']?.trim()
  if (named) return containers[named] ?? 'container'
  if (raw['containerenv']) return 'podman'
  if (raw['dockerenv'] || /\/docker(?:\/|-)/.test(raw['cgroup'] ?? '')) return 'docker'
  return /\/lxc\//.test(raw['cgroup'] ?? '') ? 'lxc' : undefined
}

function findMachine(raw: Raw): string | undefined {
  const dmi = raw['dmi'] ?? ''
  const about = ['product_name', 'sys_vendor', 'bios_vendor'].map(
    key => new RegExp(`^${key}\\|(.*)$`, 'm').exec(dmi)?.[1] ?? '',
  )
  for (const text of about) {
    const found = firmware.find(([pattern]) => pattern.test(text))
    if (found) return found[1]
  }
  if (raw['xen']) return 'xen'
  return raw['hypervisor'] ? 'kvm' : undefined
}
