import { quoteRegex } from '../../core/glob.ts'
import type { Runtime } from '../compile/runtime.ts'
import { Fault, runtimeFault } from '../fault.ts'
import { isDict, isList, isText, type Py, Undefined } from '../python/kinds.ts'
import { Pattern } from '../python/regex.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { type LookupSet, termText } from './lookup.ts'

function variable(term: Py, options: Args, runtime: Runtime): Py {
  const name = termText(term)
  const value = runtime.session.variable(name)
  if (value !== undefined && !(value instanceof Undefined)) return value
  if (options.has('default')) return options.raw('default')
  throw runtimeFault(value?.message ?? `No variable found with this name: ${name}`)
}
function searchPattern(text: string): Pattern {
  try {
    return new Pattern(text, {})
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    throw runtimeFault(`Unable to use "${text}" as a search parameter: ${error.message}`)
  }
}
function variableNames(terms: readonly Py[], runtime: Runtime): readonly Py[] {
  const names = [...runtime.session.scope.names()]
  return terms.flatMap(term => {
    const pattern = searchPattern(termText(term))
    return names.filter(name => pattern.first(name) !== null)
  })
}

/** The settings of Ansible's that playbooks ask for, at their documented defaults. */
const settings: ReadonlyMap<string, Py> = new Map<string, Py>([
  [
    'ANSIBLE_COW_ACCEPTLIST',
    `bud-frogs bunny cheese daemon default dragon elephant-in-snake elephant eyes hellokitty kitty luke-koala meow milk moofasa
    moose ren sheep small stegosaurus stimpy supermilker three-eyes turkey turtle tux udder vader-koala vader www`.split(
      /\s+/,
    ),
  ],
  ['DEFAULT_BECOME', false],
  ['DEFAULT_BECOME_METHOD', 'sudo'],
  ['DEFAULT_BECOME_USER', 'root'],
  ['DEFAULT_FORKS', 5],
  ['DEFAULT_GATHERING', 'implicit'],
  ['DEFAULT_HASH_BEHAVIOUR', 'replace'],
  ['DEFAULT_POLL_INTERVAL', 15],
  ['DEFAULT_STRATEGY', 'linear'],
  ['DEFAULT_TIMEOUT', 10],
  ['DEFAULT_UNDEFINED_VAR_BEHAVIOR', true],
])
/** Options of plugins that playbooks ask for, by `type/name/option`: the variables that set them, the last one that is there wins. */
const pluginSettings: ReadonlyMap<string, { readonly variables: readonly string[]; readonly otherwise: Py }> =
  new Map([
    ['connection/ssh/remote_user', { variables: ['ansible_user', 'ansible_ssh_user'], otherwise: null }],
    ['connection/ssh/port', { variables: ['ansible_port', 'ansible_ssh_port'], otherwise: null }],
    [
      'connection/ssh/host',
      { variables: ['inventory_hostname', 'ansible_host', 'ansible_ssh_host'], otherwise: null },
    ],
    ['shell/sh/remote_tmp', { variables: ['ansible_remote_tmp'], otherwise: '~/.ansible/tmp' }],
    ['shell/sh/async_dir', { variables: ['ansible_async_dir'], otherwise: '~/.ansible_async' }],
  ])
function pluginSetting(term: Py, options: Args, { session }: Runtime): readonly Py[] {
  const name = [options.text('plugin_type'), options.text('plugin_name'), termText(term)].join('/')
  const found = pluginSettings.get(name)
  if (!found) throw runtimeFault(`lookup config knows no setting ${name} of plugins`)
  return [found.variables.reduce<Py>((value, each) => session.variable(each) ?? value, found.otherwise)]
}
function setting(term: Py, options: Args, runtime: Runtime): readonly Py[] {
  if (options.has('plugin_type') || options.has('plugin_name')) return pluginSetting(term, options, runtime)
  if (!isText(term)) throw runtimeFault(`Invalid setting identifier: a text is expected, not ${toText(term)}`)
  const name = termText(term)
  if (!/^[A-Z][A-Z0-9_]*$/.test(name)) throw runtimeFault(`Invalid setting identifier: ${name}`)
  const value = settings.get(name)
  if (value !== undefined) return [value]
  const onMissing = options.text('on_missing')
  if (!['error', 'warn', 'skip'].includes(onMissing))
    throw runtimeFault(`on_missing: ${onMissing} is none of them; valid values are error, warn and skip`)
  if (onMissing === 'error') throw runtimeFault(`Unable to find setting ${name}`)
  return []
}

function hostsOf(pattern: string, groups: ReadonlyMap<Py, Py>): readonly string[] {
  const source = pattern
    .replace(/[^*?]+/g, quoteRegex)
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  const regex = new RegExp(`^${source}$`)
  const all = [...new Set([...groups.values()].flatMap(hosts => (isList(hosts) ? hosts.map(toText) : [])))]
  const inGroups = [...groups].flatMap(([name, hosts]) =>
    regex.test(toText(name)) && isList(hosts) ? hosts.map(toText) : [],
  )
  return [...inGroups, ...all.filter(host => regex.test(host))]
}
/** Host patterns over the groups: names and `*`, `!` takes away, `&` keeps what both have. */
function inventoryHosts(terms: readonly Py[], runtime: Runtime): readonly Py[] {
  const groups = runtime.session.variable('groups')
  if (groups === undefined || !isDict(groups)) throw runtimeFault('there is no inventory here')
  const patterns = terms.flatMap(term => termText(term).split(/[,:]/)).filter(pattern => pattern !== '')
  const chosen = patterns.reduce<readonly string[]>((hosts, pattern) => {
    const found = hostsOf(pattern.replace(/^[!&]/, ''), groups)
    if (pattern.startsWith('!')) return hosts.filter(host => !found.includes(host))
    if (pattern.startsWith('&')) return hosts.filter(host => found.includes(host))
    return hosts.concat(found)
  }, [])
  return [...new Set(chosen)]
}

/** Lookups of variables, settings, hosts and the environment of the operator's shell. */
export const variableLookups: LookupSet = {
  vars: {
    takes: 'default=null',
    run: (terms, options, runtime) => terms.map(term => variable(term, options, runtime)),
  },
  varnames: { takes: '', run: (terms, _options, runtime) => variableNames(terms, runtime) },
  env: {
    takes: "default=''",
    run: (terms, options, { session }) =>
      terms.map(term => session.world.env(termText(term)) ?? options.value('default')),
  },
  config: {
    takes: "on_missing='error', plugin_type=null, plugin_name=null",
    run: (terms, options, runtime) => terms.flatMap(term => setting(term, options, runtime)),
  },
  inventory_hostnames: { takes: '', run: (terms, _options, runtime) => inventoryHosts(terms, runtime) },
}
