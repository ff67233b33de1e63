import type { Alternate, Item, Phase, ProviderGate, Rotation, SecretSpec } from '../core/play.ts'
import { type Dict, isDict } from '../core/value.ts'
import { readSearch } from './copy-search.ts'
import { isIdentifier, readFields } from './fields.ts'
import { type Place, readItems } from './items.ts'
import type { Reader } from './reader.ts'

/** Characters of a new value when the play does not say. 48 of 62 characters are 285 bits. */
const LENGTH_DEFAULT = 48
const LENGTH_MIN = 16

/** The `rotation:` key of a play. Undefined when it is no mapping, which has been said. */
export function readRotation(reader: Reader, play: Dict, place: Place): Rotation | undefined {
  const dict = play.get('rotation')
  if (!isDict(dict)) return undefined
  const at = reader.doc.keyAt(play, 'rotation')
  reader.checkKeywords(dict, 'rotation', at)
  for (const key of ['pre_tasks', 'roles', 'tasks', 'post_tasks'])
    if (play.has(key))
      reader.say(
        `a play with rotation has no ${key}: its phases are its tasks`,
        reader.doc.keyAt(play, key),
        'move them to preflight (before) or committed (after), or to a play of their own',
      )
  const items = (phase: Phase): Item[] => readItems(reader, dict.get(phase), { ...place, phase })
  const secrets = readSecrets(reader, dict)
  const search = readSearch(reader, dict, secrets)
  const phases = {
    preflight: [...items('preflight'), ...search.before],
    backup: items('backup'),
    distribute: items('distribute'),
    change: items('change'),
    converge: items('converge'),
    verify: [...items('verify'), ...search.after],
    committed: items('committed'),
    confirmed: items('confirmed'),
    finalise_preflight: items('finalise_preflight'),
    finalise: items('finalise'),
  }
  const providerGates = readGates(reader, dict)
  const { commit, failureBudget, downtime, approval } = readFields(
    reader,
    dict,
    'rotation',
  ) as Partial<Rotation>
  return {
    name: dict.get('name') ?? '',
    secrets,
    alternates: readAlternates(reader, dict),
    providerGates,
    ...(commit !== undefined && { commit }),
    ...(failureBudget !== undefined && { failureBudget }),
    ...(downtime !== undefined && { downtime }),
    ...(approval === true && { approval }),
    phases,
    at,
  }
}

function readAlternates(reader: Reader, rotation: Dict): Alternate[] {
  const alternates = rotation.get('alternate')
  if (!isDict(alternates)) return []
  return [...alternates].flatMap(([key, spec]) => {
    const name = String(key)
    const at = reader.doc.keyAt(alternates, key)
    if (isDict(spec)) {
      reader.checkKeywords(spec, 'alternate', at)
      return [{ between: [], current: '', ...readFields(reader, spec, 'alternate'), name, at }]
    }
    reader.say(
      `${name} wants a mapping`,
      at,
      `write ${name}: { between: [app_a, app_b], current: "{{ … }}" }`,
    )
    return []
  })
}

function readGates(reader: Reader, rotation: Dict): ProviderGate[] {
  const gates = rotation.get('provider_gates')
  if (!isDict(gates)) return []
  return [...gates].flatMap(([key, gate]) => {
    const name = String(key)
    const at = reader.doc.keyAt(gates, key)
    if (isDict(gate)) {
      reader.checkKeywords(gate, 'provider_gate', at)
      return [{ say: '', ...readFields(reader, gate, 'provider_gate'), name, at }]
    }
    reader.say(`the provider gate ${name} wants a mapping`, at, `write ${name}: { say: what to do there }`)
    return []
  })
}

function readSecrets(reader: Reader, rotation: Dict): SecretSpec[] {
  const secrets = rotation.get('secrets')
  if (!isDict(secrets)) return []
  if (secrets.size === 0)
    reader.say(
      'the rotation has no secrets',
      reader.doc.keyAt(rotation, 'secrets'),
      'add NAME: { length: 48 }',
    )
  return [...secrets.keys()].map(name => readSecret(reader, secrets, String(name)))
}

function readSecret(reader: Reader, secrets: Dict, name: string): SecretSpec {
  const at = reader.doc.keyAt(secrets, name)
  const spec = secrets.get(name) ?? new Map()
  if (!isIdentifier(name))
    reader.say(`${name} cannot be the name of a secret`, at, 'use letters, digits and _: JWT_SECRET')
  if (!isDict(spec)) {
    const hint = `write ${name}: { length: 48 }; the value itself never stands in a playbook`
    reader.say(`${name} wants a mapping`, reader.doc.valueAt(secrets, name), hint)
    return { name, length: LENGTH_DEFAULT, at }
  }
  reader.checkKeywords(spec, 'secret', at)
  const { length = LENGTH_DEFAULT, ...fields } = readFields(reader, spec, 'secret') as Partial<SecretSpec>
  if (typeof length === 'number' && length < LENGTH_MIN)
    reader.say(
      `${name} would be ${length} characters long: too short to be safe`,
      reader.doc.valueAt(spec, 'length'),
      `use at least ${LENGTH_MIN}; ${LENGTH_DEFAULT} is the default`,
    )
  return { ...fields, name, length, at }
}
