import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { Secret } from '../core/secret.ts'
import { openVaultText, type Vault } from '../load/vault.ts'
import { parseAll, parseYaml } from '../load/yaml.ts'
import { dumpYaml } from '../load/yaml-dump.ts'
import { decryptVault, encryptVault } from '../secrets/vault.ts'
import { createTemplar, type LookupTemplar } from '../template/templar.ts'

/** Text that a template reads: no templates in it, and a key that is twice counts as it does for PyYAML. */
const asData = { templates: false, onDuplicate: () => {} }

/** The template language with the parts of the operator's machine that it may use. */
export function createOperatorTemplar(
  now: () => Date,
  vault: Vault | undefined,
  onFile?: (path: string) => void,
): LookupTemplar {
  const openVault = (armored: string, file: string): string => {
    const text = openVaultText(armored, file, vault)
    vault?.note?.(new Secret(text.trim(), basename(file)))
    return text
  }
  return createTemplar({
    now,
    ...(onFile && { onFile }),
    random: Math.random,
    env: name => process.env[name],
    parseYaml: (text, file) => parseYaml(text, file, asData).value,
    parseYamlAll: (text, file) => parseAll(text, file, asData).map(document => document.value),
    dumpYaml,
    openVault,
    sealVault: (text, password, { salt, label }) =>
      encryptVault(Buffer.from(text), new Secret(password, 'vault password'), {
        label,
        random: size => (salt === undefined ? randomBytes(size) : Buffer.from(salt)),
      }),
    openSealed: (armored, password) =>
      decryptVault(armored, new Secret(password, 'vault password'), 'the text')?.toString('utf8'),
  })
}
