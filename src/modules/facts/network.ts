import type { Raw } from './distribution.ts'

type Facts = Record<string, unknown>

interface Ipv4 {
  readonly address: string
  readonly prefix: string
  readonly netmask: string
  readonly network: string
  readonly broadcast: string
}
interface Ipv6 {
  readonly address: string
  readonly prefix: string
  readonly scope: string
}
interface Interface {
  readonly name: string
  readonly addresses4: Ipv4[]
  readonly addresses6: Ipv6[]
  readonly about: Map<string, string>
}

/** Interfaces with their addresses, and which of them leads out. */
export function renderNetwork(raw: Raw): Facts {
  const interfaces = parseLinks(raw['links'] ?? '')
  const find = (name: string): Interface => {
    const known = interfaces.get(name) ?? { name, addresses4: [], addresses6: [], about: new Map() }
    interfaces.set(name, known)
    return known
  }
  if (raw['ifconfig'] === undefined) readAddresses(raw['addresses'] ?? '', find)
  else readIfconfig(raw['ifconfig'], find)
  const all = [...interfaces.values()]
  return {
    interfaces: all.map(({ name }) => name),
    all_ipv4_addresses: all.flatMap(({ name, addresses4 }) =>
      name === 'lo' ? [] : addresses4.map(({ address }) => address),
    ),
    all_ipv6_addresses: all.flatMap(({ name, addresses6 }) =>
      name === 'lo' ? [] : addresses6.map(({ address }) => address),
    ),
    default_ipv4: renderDefault(raw['route4'], interfaces, ({ addresses4 }) => addresses4),
    default_ipv6: renderDefault(raw['route6'], interfaces, ({ addresses6 }) => addresses6),
    ...Object.fromEntries(all.map(each => [each.name.replace(/[-:]/g, '_'), renderInterface(each)])),
  }
}

/** `eth0|mtu|1500` lines. */
function parseLinks(text: string): Map<string, Interface> {
  const interfaces = new Map<string, Interface>()
  for (const [name, key, value] of text.split('\n').map(line => line.split('|'))) {
    if (!name || key === undefined || value === undefined) continue
    const known = interfaces.get(name) ?? { name, addresses4: [], addresses6: [], about: new Map() }
    known.about.set(key, value)
    interfaces.set(name, known)
  }
  return interfaces
}

/** Lines of `ip -o addr`: `2: eth0    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0`. */
function readAddresses(text: string, find: (name: string) => Interface): void {
  for (const words of text.split('\n').map(line => line.trim().split(/\s+/))) {
    const [, name, family, cidr] = words
    if (name === undefined || cidr === undefined) continue
    const [address = '', prefix = family === 'inet' ? '32' : '128'] = cidr.split('/')
    const after = (word: string): string => {
      const at = words.indexOf(word)
      return at < 0 ? '' : (words[at + 1] ?? '')
    }
    const to = find(name.split('@')[0]!)
    if (family === 'inet') to.addresses4.push(makeIpv4(address, Number(prefix), after('brd')))
    else if (family === 'inet6') to.addresses6.push({ address, prefix, scope: after('scope') })
  }
}

/** Hosts without `ip`: the blocks of ifconfig. */
function readIfconfig(text: string, find: (name: string) => Interface): void {
  for (const block of text.split(/\n(?=\S)/)) {
    const name = /^([^\s:]+)/.exec(block)?.[1]
    if (name === undefined) continue
    for (const [, address, mask] of block.matchAll(/inet (?:addr:)?([\d.]+).*?(?:Mask:|netmask )(\S+)/g))
      find(name).addresses4.push(makeIpv4(address!, prefixOf(mask!), ''))
    for (const [, address, prefix] of block.matchAll(
      /inet6 (?:addr: ?)?([0-9a-f:]+)(?:%\S+)?(?:\/| +prefixlen )(\d+)/g,
    ))
      find(name).addresses6.push({
        address: address!,
        prefix: prefix!,
        scope: address!.startsWith('fe80') ? 'link' : 'global',
      })
  }
}

function prefixOf(mask: string): number {
  const number = mask.startsWith('0x') ? Number(mask) : toNumber(mask)
  return number.toString(2).replaceAll('0', '').length
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}
function toAddress(number: number): string {
  return [24, 16, 8, 0].map(shift => (number >>> shift) & 255).join('.')
}

function makeIpv4(address: string, prefix: number, broadcast: string): Ipv4 {
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
  return {
    address,
    broadcast,
    netmask: toAddress(mask),
    network: toAddress((toNumber(address) & mask) >>> 0),
    prefix: String(prefix),
  }
}

/** ARPHRD numbers of the kernel, in Ansible's words. */
const types: Readonly<Record<string, string>> = {
  '1': 'ether',
  '32': 'infiniband',
  '512': 'ppp',
  '772': 'loopback',
  '65534': 'tunnel',
}
const PROMISC = 0x100

function renderInterface({ name, about, addresses4, addresses6 }: Interface): Facts {
  const mac = about.get('address') ?? ''
  const [first, ...more] = addresses4
  const type = about.has('bridge')
    ? 'bridge'
    : about.has('bonding')
      ? 'bonding'
      : types[about.get('type') ?? '']
  const module = about.get('module')?.split('/').pop()
  return {
    device: name,
    active: about.get('operstate') === 'up' || (name === 'lo' && about.get('operstate') === 'unknown'),
    ...(mac !== '' && name !== 'lo' ? { macaddress: mac } : {}),
    ...(about.get('mtu') ? { mtu: Number(about.get('mtu')) } : {}),
    ...(type === undefined ? {} : { type }),
    ...(module ? { module } : {}),
    ...(about.get('speed') ? { speed: Number(about.get('speed')) } : {}),
    promisc: (Number(about.get('flags') ?? 0) & PROMISC) !== 0,
    ...(first ? { ipv4: first } : {}),
    ...(more.length > 0 ? { ipv4_secondaries: more } : {}),
    ...(addresses6.length > 0 ? { ipv6: addresses6 } : {}),
  }
}

/** `8.8.8.8 via 192.0.2.1 dev eth0 src 192.0.2.2`: where a packet to the outside would go. */
function renderDefault(
  route: string | undefined,
  interfaces: ReadonlyMap<string, Interface>,
  addressesOf: (each: Interface) => readonly (Ipv4 | Ipv6)[],
): Facts {
  const after = (word: string): string | undefined => new RegExp(`\\b${word} (\\S+)`).exec(route ?? '')?.[1]
  const device = after('dev')
  const found = device === undefined ? undefined : interfaces.get(device)
  if (!found) return {}
  const source = after('src')
  const address = addressesOf(found).find(each => each.address === source) ?? { address: source }
  const { macaddress, mtu, type } = renderInterface(found)
  const gateway = after('via')
  return {
    ...address,
    ...(gateway === undefined ? {} : { gateway }),
    interface: device,
    ...('netmask' in address ? { alias: device } : {}),
    ...(macaddress === undefined ? {} : { macaddress }),
    mtu,
    type,
  }
}
