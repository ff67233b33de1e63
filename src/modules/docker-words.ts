import { problem } from '../core/error.ts'
import { Secret } from '../core/secret.ts'
import { type Dict, fromValue, isDict, type Value } from '../core/value.ts'
import type { ContainerRecipe } from '../resources/docker-container.ts'
import { parseWords } from './command-words.ts'
import { refuseAll } from './refused.ts'

function refuse(option: string, hint: string): never {
  throw problem('E_PARAMS', `docker_container: ${option} is not understood`, { hint })
}

/** A command as words; undefined when none was given. Throws E_PARAMS. */
export function wordsOf(option: string, value: Value | undefined): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return parseWords(value)
  if (Array.isArray(value) && value.every(word => typeof word === 'string' || typeof word === 'number'))
    return value.map(String)
  return refuse(option, 'write a text or a list of texts; no secrets, since every user of the host sees them')
}

function textOf(option: string, name: string, value: Value): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw problem('E_PARAMS', `docker_container: ${option} ${name} is no text`, {
    hint: 'put it in quotes, so that it is clear what is meant; a secret may stand in env only',
  })
}
/** A dict of texts. Throws E_PARAMS for a value that is none. */
export const pairs = (option: string, dict: Dict | undefined): readonly (readonly [string, string])[] =>
  [...(dict ?? [])].map(([name, value]) => [String(name), textOf(option, String(name), value)])

/** Where a port of the container is reached; '' for any. */
export interface Port {
  /** As it was written. */
  readonly text: string
  readonly ip: string
  readonly host: string
  readonly inside: string
}
/** `127.0.0.1:8080:80/udp` to data. Throws E_PARAMS. */
export function parsePort(text: string): Port {
  const [, ip = '', host = '', inside, protocol = 'tcp'] =
    /^(?:(?:(\[[^\]]*\]|[\d.]+):)?(\d*):)?(\d+)(?:\/(tcp|udp|sctp))?$/.exec(text) ?? []
  if (inside === undefined)
    return refuse(`the port ${text}`, 'write 8080:80, 127.0.0.1:8080:80 or 80, without ranges')
  return { ip: ip.replace(/^\[|\]$/g, ''), host, inside: `${inside}/${protocol}`, text }
}

interface Network {
  readonly name: string
  readonly words: readonly string[]
}
/** Networks with their words for `docker network connect`. Throws E_PARAMS. */
export function parseNetworks(value: Value | undefined): readonly Network[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return refuse('networks', 'write a list of dicts: [{ name: backend }]')
  return value.map(one => {
    const plain = (isDict(one) ? fromValue(one) : { name: one }) as Readonly<Record<string, unknown>>
    const { name, aliases = [], ipv4_address: ip, ...rest } = plain
    const [other] = Object.keys(rest)
    if (other !== undefined)
      return refuse(`networks: ${other}`, 'a network takes name, aliases and ipv4_address')
    if (typeof name !== 'string' || !Array.isArray(aliases))
      return refuse('networks', 'each has a name, and a list of aliases')
    return {
      name,
      words: [
        ...aliases.flatMap(alias => ['--alias', String(alias)]),
        ...(ip === undefined ? [] : ['--ip', String(ip)]),
      ],
    }
  })
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}
/** `512m` to bytes. Throws E_PARAMS. */
export function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text) ?? []
  if (digits === undefined) return refuse(`memory ${text}`, 'write 512m, 1G or bytes')
  return Math.round(Number(digits) * units[unit.toLowerCase()]!)
}

/** Names and values, which may be secrets. Throws E_PARAMS. */
export function parseEnv(env: Dict | undefined): ContainerRecipe['env'] {
  return [...(env ?? [])].map(([key, value]) => {
    const name = String(key)
    if (!/^[^\s=#][^\s=]*$/.test(name)) return refuse(`env ${name}`, 'a name has no blanks and no =')
    return { name, value: value instanceof Secret ? value : textOf('env', name, value) }
  })
}

/** Options of Ansible's modules by which their library reaches the daemon. */
export const dockerRefused = refuseAll(
  'it is the docker program of the target that is used, as it is set up there: docker context use',
  'api_version ca_cert cacert_path cert_path client_cert client_key debug docker_api_version docker_host docker_url key_path ssl_version timeout tls tls_ca_cert tls_client_cert tls_client_key tls_hostname tls_verify use_ssh_client validate_certs',
)
