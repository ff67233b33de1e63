import { parseGlob } from '../../core/glob.ts'
import type { Target } from '../../core/module.ts'
import { toValue, type Value } from '../../core/value.ts'
import { selectCollectors } from './collectors.ts'
import {
  type Raw,
  renderDistribution,
  renderLsb,
  renderPackageManager,
  renderServiceManager,
} from './distribution.ts'
import { renderHardware } from './hardware.ts'
import { renderLocal } from './local.ts'
import { renderNetwork } from './network.ts'
import { factsScript } from './script.ts'
import {
  parseNames,
  renderCmdline,
  renderDateTime,
  renderDns,
  renderEnv,
  renderPlatform,
  renderPython,
  renderSelinux,
  renderSmall,
  renderUser,
} from './system.ts'
import { renderVirtual } from './virtual.ts'

export interface FactsOptions {
  readonly gather_subset: readonly string[]
  /** Shell patterns of the facts' names; none: all. */
  readonly filter: readonly string[]
  /** Folder of local facts on the target. */
  readonly fact_path: string
}

/** The facts of a host in one round trip, named as Ansible names them (`ansible_…`). Throws E_PARAMS for an unknown subset. */
export async function gatherFacts(t: Target, options: FactsOptions): Promise<ReadonlyMap<string, Value>> {
  const collectors = selectCollectors(options.gather_subset)
  const given = t.operator.scope.get('ansible_python_interpreter')
  const interpreter = given === undefined ? undefined : t.operator.render(given)
  const python = typeof interpreter === 'string' && !interpreter.startsWith('auto') ? interpreter : undefined
  const { values } = await t.run(factsScript, {
    subsets: ` ${[...collectors].join(' ')} `,
    fact_path: options.fact_path,
    python,
  })
  const facts = renderFacts(values, name => collectors.has(name), t.environment, options.fact_path)
  const wanted = Object.entries(facts)
    .map(([name, value]) => [`ansible_${name}`, toValue(value)] as const)
    .filter(([name]) => options.filter.length === 0 || options.filter.some(each => matches(each, name)))
  return new Map<string, Value>([
    ...wanted,
    ['gather_subset', [...options.gather_subset]],
    ['module_setup', true],
  ])
}

function renderFacts(
  raw: Raw,
  wants: (collector: string) => boolean,
  environment: Target['environment'],
  factPath: string,
): Record<string, unknown> {
  const { system } = parseNames(raw)
  const distribution = renderDistribution(raw, system)
  return {
    ...(wants('platform') ? renderPlatform(raw) : {}),
    ...(wants('distribution') ? distribution : {}),
    ...(wants('lsb') ? renderLsb(raw) : {}),
    ...(wants('pkg_mgr') ? renderPackageManager(raw, distribution['os_family']) : {}),
    ...(wants('service_mgr') ? renderServiceManager(raw, system) : {}),
    ...(wants('user') ? renderUser(raw) : {}),
    ...(wants('env') ? renderEnv(raw, environment) : {}),
    ...(wants('date_time') ? renderDateTime(raw) : {}),
    ...(wants('python') ? renderPython(raw) : {}),
    ...(wants('selinux') ? renderSelinux(raw) : {}),
    ...(wants('cmdline') ? renderCmdline(raw) : {}),
    ...(wants('dns') ? renderDns(raw) : {}),
    ...(wants('local') ? renderLocal(raw, factPath) : {}),
    ...(wants('hardware') ? renderHardware(raw) : {}),
    ...(wants('network') ? renderNetwork(raw) : {}),
    ...(wants('virtual') ? renderVirtual(raw) : {}),
    ...renderSmall(raw, wants),
  }
}

/** A shell pattern over the fact's name, with or without its prefix. */
function matches(pattern: string, name: string): boolean {
  const expression = parseGlob(pattern)
  return expression.test(name) || expression.test(name.slice('ansible_'.length))
}
