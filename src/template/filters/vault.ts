import type { FilterSet } from '../compile/language.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { isText, type Py, typeName, Undefined } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

function needText(value: Py, what: string): string {
  if (value instanceof Undefined) value.fail()
  if (!isText(value)) throw runtimeFault(`${what} must be a string, not ${typeName(value)}`)
  return toText(value)
}

/** The text sealed as ansible-vault does. Two options of that name: older playbooks write `vaultid`. */
function seal(value: Py, args: Args, { session }: Runtime): Py {
  const { sealVault } = session.world
  if (!sealVault) throw runtimeFault('nothing here makes vaults')
  if (args.has('wrap_object') && args.flag('wrap_object'))
    throw runtimeFault('vault has no wrap_object here: write the text into a file with !vault')
  return sealVault(
    needText(value, 'Can only vault strings: the text'),
    needText(args.raw('secret'), 'Secret'),
    {
      salt: args.has('salt') ? args.text('salt') : undefined,
      label: labelOf(args),
    },
  )
}
function labelOf(args: Args): string {
  return args.has('vault_id') ? args.text('vault_id') : args.text('vaultid')
}

/** What is in the vault; a text that is none is itself, as in Ansible. */
function unseal(value: Py, args: Args, { session }: Runtime): Py {
  const { openSealed } = session.world
  if (!openSealed) throw runtimeFault('nothing here opens vaults')
  const text = needText(value, 'Vault should be in the form of a string: it')
  const password = needText(args.raw('secret'), 'Secret')
  if (!text.startsWith('$ANSIBLE_VAULT')) return text
  const plain = openSealed(text, password)
  if (plain === undefined) throw runtimeFault('Unable to decrypt: the password is not that of this vault')
  return plain
}

/** Ansible's filters that seal and open texts with a password. What comes out of a vault is a Secret where the password is one. */
export const vaultFilters: FilterSet = {
  vault: ["secret, salt=null, vaultid='filter_default', wrap_object=false, vault_id=null", seal],
  unvault: ["secret, vaultid='filter_default', vault_id=null", unseal],
}
