/** What Ansible takes for true and false in a text, whatever its case (module_utils/parsing/convert_bool). */
const trues = ['y', 'yes', 'on', '1', 'true', 't']
const falses = ['n', 'no', 'off', '0', 'false', 'f']
export const truthWords: readonly string[] = [...trues, ...falses]

/** Undefined for any other word. */
export function parseTruth(text: string): boolean | undefined {
  const word = text.toLowerCase()
  return trues.includes(word) ? true : falses.includes(word) ? false : undefined
}

const VAULT = '$ANSIBLE_VAULT;'
/** Whether a file's content is an ansible-vault. */
export function isVaultText(content: string | Buffer): boolean {
  return typeof content === 'string'
    ? content.startsWith(VAULT)
    : content.subarray(0, VAULT.length).toString('latin1') === VAULT
}
