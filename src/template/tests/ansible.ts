import { parseTruth } from '../../core/ansible-text.ts'
import { Secret } from '../../core/secret.ts'
import type { TestSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { member } from '../python/equality.ts'
import { isDict, isFloat, isText, type Py, toNumber, typeName, Undefined } from '../python/kinds.ts'
import { contains, isTrue } from '../python/order.ts'
import { iterate } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { compareVersions } from './version.ts'

/** A flag of a registered result. Loops' results have none of their own; a missing one is false. */
function flag(value: Py, name: string): boolean {
  if (value instanceof Undefined) value.fail()
  if (!isDict(value)) throw runtimeFault(`The '${name}' test expects a dictionary, not ${typeName(value)}`)
  return isTrue(member(value, name) ?? false)
}
/** changed looks into the results of a loop when there is no flag. */
function isChanged(value: Py): boolean {
  if (isDict(value) && member(value, 'changed') === undefined) {
    const results = member(value, 'results')
    if (results !== undefined)
      return iterate(results).some(result => isDict(result) && flag(result, 'changed'))
  }
  return flag(value, 'changed')
}
function asyncFlag(name: 'started' | 'finished'): (value: Py) => boolean {
  return value => {
    // A task without async was started and has ended.
    if (isDict(value) && member(value, name) === undefined) return true
    return flag(value, name)
  }
}
function convertedTruth(value: Py, args: Args): boolean {
  if (!args.flag('convert_bool') || !isText(value)) return isTrue(value)
  return parseTruth(toText(value)) ?? isTrue(value)
}

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  '==': order => order === 0,
  '=': order => order === 0,
  eq: order => order === 0,
  '!=': order => order !== 0,
  '<>': order => order !== 0,
  ne: order => order !== 0,
  '<': order => order < 0,
  lt: order => order < 0,
  '<=': order => order <= 0,
  le: order => order <= 0,
  '>': order => order > 0,
  gt: order => order > 0,
  '>=': order => order >= 0,
  ge: order => order >= 0,
}
function version(value: Py, args: Args): boolean {
  const [text, other] = [toText(value), args.text('version')]
  if (text === '') throw runtimeFault('Input version value cannot be empty')
  if (other === '') throw runtimeFault('Version to compare against cannot be empty')
  if (args.has('version_type') && args.has('strict'))
    throw runtimeFault("Cannot specify both 'strict' and 'version_type'")
  const operator = args.text('operator')
  if (!Object.hasOwn(comparisons, operator))
    throw runtimeFault(
      `Invalid operator type (${operator}). Must be one of ${Object.keys(comparisons).join(', ')}`,
    )
  const type = args.has('version_type')
    ? args.text('version_type')
    : args.has('strict') && args.flag('strict')
      ? 'strict'
      : 'loose'
  return comparisons[operator]!(compareVersions(text, other, type))
}

/** Any text is a URI to Ansible, since a missing scheme and path are empty ones; only the schemes are looked at. */
function isUri(text: string, schemes: readonly string[]): boolean {
  return schemes.length === 0 || schemes.includes(schemeOf(text))
}
const schemeOf = (text: string): string => /^([A-Za-z][A-Za-z\d+.-]*):/.exec(text)?.[1]?.toLowerCase() ?? ''
/** A URL has a host, or is of a file. */
function isUrl(text: string, schemes: readonly string[]): boolean {
  const hasHost = /^(?:[A-Za-z][A-Za-z\d+.-]*:)?\/\/[^/?#]/.test(text)
  return isUri(text, schemes) && (hasHost || schemeOf(text) === 'file')
}
const schemesOf = (args: Args): readonly string[] =>
  args.has('schemes') ? iterate(args.value('schemes')).map(toText) : []
function isNan(value: Py): boolean {
  if (value instanceof Undefined) value.fail()
  return isFloat(value) && Number.isNaN(toNumber(value))
}
const every = (a: Py, b: Py): boolean => iterate(a).every(item => contains(b, item))

/** Ansible's tests. Those on files are in files.ts, those with patterns in filters/regex.ts. */
export const ansibleTests: TestSet = {
  'failed failure': ['', value => flag(value, 'failed')],
  'succeeded success successful': ['', value => !flag(value, 'failed')],
  'changed change': ['', isChanged],
  'skipped skip': ['', value => flag(value, 'skipped')],
  unreachable: ['', value => flag(value, 'unreachable')],
  reachable: ['', value => !flag(value, 'unreachable')],
  started: ['', asyncFlag('started')],
  finished: ['', asyncFlag('finished')],
  truthy: ['convert_bool=false', convertedTruth],
  falsy: ['convert_bool=false', (value, args) => !convertedTruth(value, args)],
  all: ['', value => iterate(value).every(isTrue)],
  any: ['', value => iterate(value).some(isTrue)],
  contains: ['item', (value, args) => contains(value, args.raw('item'))],
  'subset issubset': ['other', (value, args) => every(value, args.raw('other'))],
  'superset issuperset': ['other', (value, args) => every(args.raw('other'), value)],
  'nan isnan': ['', isNan],
  'version version_compare': ["version, operator='eq', strict=null, version_type=null", version],
  // What a vault decrypts is a Secret; its text is never the vault's.
  vault_encrypted: ['', value => value instanceof Secret],
  uri: ['schemes=null', (value, args) => isUri(toText(value), schemesOf(args))],
  url: ['schemes=null', (value, args) => isUrl(toText(value), schemesOf(args))],
  urn: ['', value => isUri(toText(value), ['urn'])],
}
