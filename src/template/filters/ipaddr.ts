import { isIPv4, isIPv6 } from 'node:net'
import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { isList, isText, type Py } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

/** An address, alone or in its network. */
interface Address {
  readonly bits: 32 | 128
  readonly value: bigint
  readonly prefix: number
}

function parseAddress(text: string): Address | undefined {
  const [host = '', prefixText] = text.trim().split('/')
  const bits = isIPv4(host) ? 32 : isIPv6(host) ? 128 : undefined
  if (bits === undefined) return undefined
  const prefix = prefixText === undefined ? bits : parsePrefix(prefixText, bits)
  if (prefix === undefined) return undefined
  const value = bits === 32 ? parseV4(host) : parseV6(host)
  return { bits, value, prefix }
}
function parseV4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) + BigInt(part), 0n)
}
function parseV6(text: string): bigint {
  const mapped = text.replace(/(\d+\.\d+\.\d+\.\d+)$/, v4 => {
    const value = parseV4(v4)
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`
  })
  const [head = '', tail] = mapped.split('::')
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [left, right] = [words(head), words(tail ?? '')]
  const middle = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...middle, ...right].reduce((value, word) => (value << 16n) + BigInt(`0x${word}`), 0n)
}
/** A length, or a netmask. */
function parsePrefix(text: string, bits: number): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= bits ? Number(text) : undefined
  if (bits !== 32 || !isIPv4(text)) return undefined
  const ones = parseV4(text).toString(2).padStart(32, '0')
  return /^1*0*$/.test(ones) ? ones.replaceAll('0', '').length : undefined
}

function renderValue(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 0xffn).join('.')
  const words = Array.from({ length: 8 }, (_word, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn)
  const text = words.map(word => word.toString(16)).join(':')
  // The longest run of zeros, the first of several, and no single one (RFC 5952).
  const runs = text.match(/(?<![^:])0(?::0)+(?![^:])/g) ?? []
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '')
  return longest === '' ? text : text.replace(longest, '::').replace(/:{3,}/g, '::')
}
const sizeOf = ({ bits, prefix }: Address): bigint => 1n << BigInt(bits - prefix)
const networkOf = (address: Address): bigint => address.value - (address.value % sizeOf(address))
const render = ({ bits }: Address, value: bigint): string => renderValue(value, bits)

function isWithin(address: Address, network: Address): boolean {
  return (
    address.bits === network.bits &&
    address.prefix >= network.prefix &&
    networkOf({ ...address, prefix: network.prefix }) === networkOf(network)
  )
}
const privates = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']
const isPrivate = (address: Address): boolean =>
  privates.some(network => isWithin(address, parseAddress(network)!))

type Query = (address: Address, text: string) => Py
/** By the name of the query; false: the address is not of that kind. */
const queries: Readonly<Record<string, Query>> = {
  '': (_address, text) => text,
  address: address =>
    sizeOf(address) === 1n || address.value !== networkOf(address) ? render(address, address.value) : null,
  bool: () => true,
  broadcast: address =>
    sizeOf(address) > 2n ? render(address, networkOf(address) + sizeOf(address) - 1n) : null,
  host: address =>
    sizeOf(address) === 1n || address.value !== networkOf(address)
      ? `${render(address, address.value)}/${address.prefix}`
      : null,
  net: address =>
    sizeOf(address) > 1n && address.value === networkOf(address)
      ? `${render(address, address.value)}/${address.prefix}`
      : null,
  netmask: address => render(address, (1n << BigInt(address.bits)) - sizeOf(address)),
  network: address => (sizeOf(address) > 1n ? render(address, networkOf(address)) : null),
  prefix: address => address.prefix,
  private: (address, text) => (isPrivate(address) ? text : null),
  public: (address, text) => (isPrivate(address) ? null : text),
  size: address => Number(sizeOf(address)),
  subnet: address => `${render(address, networkOf(address))}/${address.prefix}`,
  version: address => (address.bits === 32 ? 4 : 6),
}

function runQuery(address: Address, text: string, query: Py): Py {
  const name = query === null ? '' : toText(query)
  const found = Object.hasOwn(queries, name) ? queries[name] : undefined
  if (found) return found(address, text)
  if (/^-?\d+$/.test(name)) return nth(address, BigInt(name))
  const network = parseAddress(name)
  if (!network)
    throw runtimeFault(
      `ipaddr has no query '${name}'; it has ${Object.keys(queries).slice(1).join(', ')}, a number, and a network`,
    )
  return isWithin(address, network) ? text : null
}
/** The address of that place in the network, from its end for a negative one. */
function nth(address: Address, index: bigint): Py {
  const offset = index < 0n ? sizeOf(address) + index : index
  if (offset < 0n || offset >= sizeOf(address)) return null
  return `${render(address, networkOf(address) + offset)}/${address.prefix}`
}

/** Of a list those that answer; of one value the answer, null where it has none, or false for what is no address. */
function ipaddr(bits?: 32 | 128): (value: Py, args: Args) => Py {
  const one = (value: Py, query: Py): Py => {
    const text = isText(value) ? toText(value) : ''
    const address = parseAddress(text)
    if (!address || (bits !== undefined && address.bits !== bits)) return false
    return runQuery(address, text, query)
  }
  return (value, args) => {
    const query = args.raw('query')
    if (!isList(value)) return one(value, query)
    return value.map(item => one(item, query)).filter(found => found !== null && found !== false)
  }
}

function needAddress(value: Py): Address {
  const address = parseAddress(toText(value))
  if (address) return address
  throw runtimeFault(`You must pass a valid IP address; ${toText(value)} is invalid`)
}
/** How many subnets of that length there are, or the one of that place. */
function ipsubnet(value: Py, args: Args): Py {
  const address = parseAddress(toText(value))
  if (!address) return false
  if (!args.has('query')) return `${render(address, networkOf(address))}/${address.prefix}`
  const prefix = Number(args.text('query'))
  if (!Number.isInteger(prefix) || prefix < address.prefix || prefix > address.bits) return false
  const count = 1n << BigInt(prefix - address.prefix)
  if (!args.has('index')) return toText(Number(count))
  const index = BigInt(args.integer('index'))
  const offset = index < 0n ? count + index : index
  if (offset < 0n || offset >= count) return false
  return `${render(address, networkOf(address) + offset * (1n << BigInt(address.bits - prefix)))}/${prefix}`
}

/** The common ones of ansible.utils' filters on IP addresses. */
export const ipaddrFilters: FilterSet = {
  ipaddr: ["query=''", ipaddr()],
  ipv4: ["query=''", ipaddr(32)],
  ipv6: ["query=''", ipaddr(128)],
  ipsubnet: ['query=null, index=null', ipsubnet],
  ipmath: [
    'amount',
    (value, args) => {
      const address = needAddress(value)
      return render(address, address.value + BigInt(args.integer('amount')))
    },
  ],
  nthhost: [
    'query',
    (value, args) => {
      const found = nth(needAddress(value), BigInt(args.integer('query')))
      return found === null ? false : toText(found).replace(/\/.*/, '')
    },
  ],
  network_in_network: [
    'other',
    (value, args) => isWithin(needAddress(args.value('other')), needAddress(value)),
  ],
}
