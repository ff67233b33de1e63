import type { FilterSet, TestSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { type Py, tupleOf, Undefined } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import { groupOf, type MatchType, Pattern, substitute } from '../python/regex.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

function patternOf(pattern: string, args: Args, type: MatchType = 'search'): Pattern {
  const flag = (name: string): boolean => {
    const value = args.raw(name)
    return value instanceof Undefined ? value.fail() : isTrue(value)
  }
  return new Pattern(pattern, { ignoreCase: flag('ignorecase'), multiline: flag('multiline'), type })
}
function replace(value: Py, args: Args): Py {
  const pattern = patternOf(args.text('pattern'), args)
  return substitute(pattern, args.text('replacement'), toText(value), args.integer('count'))
}
function search(value: Py, args: Args): Py {
  for (const name of args.named.keys())
    if (name !== 'ignorecase' && name !== 'multiline')
      throw runtimeFault(`regex_search() got an unexpected keyword argument '${name}'`)
  const groups = args.rest.map(reference => {
    const match = /^\\(?:g<(\w+)>|(\d+))$/.exec(toText(reference))
    if (!match)
      throw runtimeFault(
        `Unknown argument: '${toText(reference)}' is no group; write '\\\\1' or '\\\\g<name>'`,
      )
    return match[1] ?? match[2]!
  })
  const found = patternOf(args.text('regex'), args).first(toText(value))
  if (!found) return null
  return groups.length === 0 ? found[0] : groups.map(group => groupOf(found, group))
}
function findAll(value: Py, args: Args): Py {
  return patternOf(args.text('regex'), args)
    .all(toText(value))
    .map(([all, ...groups]) => {
      if (groups.length === 0) return all
      return groups.length === 1 ? (groups[0] ?? '') : tupleOf(groups.map(group => group ?? ''))
    })
}
function escapeRegex(value: Py, args: Args): Py {
  const text = toText(value)
  switch (args.text('re_type')) {
    case 'python':
      return text.replace(/[()[\]{}?*+\-|^$\\.&~# \t\n\r\v\f]/g, '\\$&')
    case 'posix_basic':
      return text.replace(/[[\].^$*\\]/g, '\\$&')
    case 'posix_extended':
      throw runtimeFault('Regex type (posix_extended) not yet implemented')
    default:
      throw runtimeFault(`Invalid regex type (${args.text('re_type')})`)
  }
}

/** Ansible's filters with regular expressions. */
export const regexFilters: FilterSet = {
  regex_replace: ["pattern='', replacement='', ignorecase=false, multiline=false, count=0", replace],
  regex_search: ['regex, *groups, **named', search],
  regex_findall: ['regex, multiline=false, ignorecase=false', findAll],
  regex_escape: ["re_type='python'", escapeRegex],
}

function matching(type: MatchType): (value: Py, args: Args) => boolean {
  return (value, args) => patternOf(args.text('pattern'), args, type).first(toText(value)) !== null
}
function matchingAny(value: Py, args: Args): boolean {
  const type = args.text('match_type')
  if (type !== 'search' && type !== 'match' && type !== 'fullmatch')
    throw runtimeFault(`match_type is search, match or fullmatch, not '${type}'`)
  return matching(type)(value, args)
}
const options = "pattern='', ignorecase=false, multiline=false"
/** Ansible's tests with regular expressions. */
export const regexTests: TestSet = {
  match: [options, matching('match')],
  search: [options, matching('search')],
  regex: [`${options}, match_type='search'`, matchingAny],
}
