import { decodePercent } from '../../core/percent.ts'
import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { dictOf } from '../python/equality.ts'
import type { Py } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

/** The parts of an address, as RFC 3986, appendix B, cuts it. Missing ones are empty, a missing port is null. */
function splitUrl(value: Py, args: Args): Py {
  const text = toText(value)
  const match = /^(?:([A-Za-z][\w+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#([\s\S]*))?$/.exec(text)
  if (!match) throw runtimeFault(`'${text}' is no address`)
  const [, scheme = '', netloc = '', path = '', query = '', fragment = ''] = match
  const [, user, , password, host = '', port] =
    /^(?:([^:@]*)(:([^@]*))?@)?(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(netloc) ?? []
  const parts: (readonly [string, Py])[] = [
    ['fragment', fragment],
    ['hostname', host === '' ? null : host.replace(/^\[|\]$/g, '').toLowerCase()],
    ['netloc', netloc],
    ['password', password ?? null],
    ['path', path],
    ['port', port === undefined || port === '' ? null : Number(port)],
    ['query', query],
    ['scheme', scheme.toLowerCase()],
    ['username', user ?? null],
  ]
  const wanted = args.text('query')
  if (wanted === '') return dictOf(parts)
  const part = parts.find(([name]) => name === wanted)
  if (!part)
    throw runtimeFault(
      `urlsplit: unknown URL component: ${wanted}; it is none of ${parts.map(([name]) => name).join(', ')}`,
    )
  return part[1]
}
/** Ansible's filters on addresses. */
export const urlFilters: FilterSet = {
  urlsplit: ["query=''", splitUrl],
  urldecode: ['', value => decodePercent(toText(value).replaceAll('+', ' '))],
}
