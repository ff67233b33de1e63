import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { problem, type RotaError } from '../core/error.ts'
import { type Dict, isDict, toValue, type Value } from '../core/value.ts'
import type { InventoryDraft } from './draft.ts'

const run = promisify(execFile)
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024

/**
 * Runs an inventory script (`--list`, and `--host NAME` for each host when there is no `_meta`) and reads what it prints into
 * the draft. What a script prints is data: braces in it stay text. Throws E_INVENTORY.
 */
export async function runScript(file: string, draft: InventoryDraft): Promise<void> {
  const groups = await ask(file, ['--list'])
  const meta = groups.get('_meta')
  const known = isDict(meta) ? meta.get('hostvars') : undefined
  const hosts = new Set<string>()
  for (const [name, group] of groups)
    if (name !== '_meta') for (const host of readGroup(file, draft, String(name), group)) hosts.add(host)
  for (const host of hosts) {
    const vars = isDict(known) ? known.get(host) : await ask(file, ['--host', host])
    if (isDict(vars)) for (const [name, value] of vars) draft.setHostVar(host, String(name), value, file)
  }
}

/** Returns the hosts that the script names in the group. */
function readGroup(file: string, draft: InventoryDraft, name: string, group: Value): readonly string[] {
  draft.group(name)
  const dict: Dict = isDict(group) ? group : new Map<Value, Value>([['hosts', group]])
  const hosts = textsOf(file, name, dict.get('hosts'))
  for (const host of hosts) draft.addHost(host, name)
  for (const child of textsOf(file, name, dict.get('children'))) {
    if (!draft.canBeChild(name, child))
      throw broken(file, `${child} cannot be a child of ${name}: it is above it`)
    draft.group(name).children.add(child)
    draft.group(child)
  }
  const vars = dict.get('vars')
  if (isDict(vars)) for (const [key, value] of vars) draft.setGroupVar(name, String(key), value, file)
  return hosts
}

function textsOf(file: string, group: string, list: Value | undefined): readonly string[] {
  const items = (list ?? []) as readonly Value[]
  if (Array.isArray(items) && items.every(item => typeof item === 'string')) return items as readonly string[]
  throw broken(file, `hosts and children of ${group} must be lists of names`)
}

async function ask(file: string, args: readonly string[]): Promise<Dict> {
  let stdout: string
  try {
    // By its full path: a script in the current folder is not on the PATH.
    stdout = (await run(resolve(file), args, { maxBuffer: OUTPUT_BYTES_MAX })).stdout
  } catch (cause) {
    const { code } = cause as { code?: number | string }
    throw broken(file, `${args.join(' ')} ended with ${code ?? 'a signal'}`, cause)
  }
  const value = parseJson(file, stdout, args)
  if (isDict(value)) return value
  throw broken(file, `${args.join(' ')} printed no JSON object`)
}

function parseJson(file: string, text: string, args: readonly string[]): Value {
  try {
    return text.trim() === '' ? new Map() : toValue(JSON.parse(text))
  } catch (cause) {
    throw broken(file, `${args.join(' ')} printed no JSON`, cause)
  }
}

function broken(file: string, message: string, cause?: unknown): RotaError {
  return problem('E_INVENTORY', `the inventory script ${file}: ${message}`, {
    hint: `run it yourself: ${resolve(file)} --list`,
    cause,
  })
}
