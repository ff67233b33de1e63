import { createHmac } from 'node:crypto'
import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import type { Value } from '../core/value.ts'
import { type AgeFileState, headerOf, readAgeFile, sealOf, writeAgeFile } from '../resources/age-file.ts'
import { openAgeHeader, parseRecipient, recipientOf, renderAgeHeader } from '../resources/age-header.ts'
import { AGE_NONCE_BYTES } from '../resources/age-payload.ts'

const FILE_KEY_BYTES = 16

const params = {
  path: { type: 'path', required: true, aliases: ['dest', 'name'], doc: 'The age file. A link is followed.' },
  identity: {
    type: 'secret',
    required: true,
    doc: 'The key that it is to open with from now on: an age identity, `AGE-SECRET-KEY-1…`.',
  },
  old_identities: {
    type: 'any',
    default: [],
    doc: 'Keys that it may open with now, one or a list; afterwards none of them opens it.',
  },
  recipients: {
    type: 'list',
    default: [],
    doc: 'Public keys (`age1…`) that it is to open for as well: an offline escrow.',
  },
  method: {
    type: 'string',
    choices: ['re-wrap', 're-encrypt'],
    default: 're-wrap',
    doc: 're-wrap: a new header for the same data, at no cost. re-encrypt: new data under a new file key too, which shuts out who kept the old one; it goes through your machine.',
  },
} as const

interface Input {
  readonly args: Args<typeof params>
  readonly old: readonly Secret[]
  /** The identity's own, then the others. */
  readonly recipients: readonly Buffer[]
  readonly seed: Buffer
}

/** One value or a list of them as secrets. */
export function toSecrets(value: Value, label: string): readonly Secret[] {
  const all = Array.isArray(value) ? (value as readonly Value[]) : [value]
  return all.map(one => {
    if (one instanceof Secret) return one
    if (typeof one === 'string') return new Secret(one, label)
    throw problem('E_PARAMS', `${label} holds something that is no key`, {
      hint: 'give texts that begin with AGE-SECRET-KEY-1',
    })
  })
}

function prepare(t: Target, args: Args<typeof params>): Input {
  const old = toSecrets(args.old_identities, 'old_identities')
  for (const secret of [args.identity, ...old]) t.redactor.add(secret)
  const recipients = [recipientOf(args.identity), ...args.recipients.map(parseRecipient)]
  return { args, old, recipients, seed: t.operator.random(32) }
}

/** Opens with the new key, for as many as wanted, and with none of the old ones. */
function isAsWanted({ args, old, recipients }: Input, before: AgeFileState): boolean {
  const header = headerOf(before)
  const opens = (identity: Secret): boolean => openAgeHeader(header, identity, before.path) !== undefined
  return opens(args.identity) && header.stanzas.length === recipients.length && !old.some(opens)
}

/** The random parts follow from the seed and the file, so that the same input always wants the same. */
function want(input: Input, before: AgeFileState): AgeFileState {
  const { args, recipients, seed } = input
  const { fileKey } = sealOf(before)
  if (isAsWanted(input, before)) return before
  const random = (name: string): Buffer =>
    createHmac('sha256', seed).update(`${before.path}\n${name}`).digest()
  const isRenewed = args.method === 're-encrypt'
  const key = isRenewed ? random('file key').subarray(0, FILE_KEY_BYTES) : undefined
  const seal = key ? new Secret(key.toString('base64'), fileKey.label) : fileKey
  const header = renderAgeHeader(seal, recipients, random)
  return {
    ...before,
    header,
    nonce: isRenewed ? random('nonce').subarray(0, AGE_NONCE_BYTES).toString('base64') : before.nonce,
    sizeBytes: before.sizeBytes - before.header.length + header.length,
  }
}

export const age_file = defineState<typeof params, AgeFileState, Input>({
  name: 'age_file',
  summary: 'Manages which keys open a file that is encrypted with age.',
  notes: [
    'The host needs neither age nor a key. To re-wrap, only the header comes here and goes back; the data stays where it is and is compared on the host.',
    'The new file is written beside the old one, synced, compared and renamed over it: whoever is killed at any moment leaves a file that opens with one of the two keys.',
    'Owner, mode and time stay. Undo gives back the file of before, byte for byte.',
    'A file that opens with none of the keys given is refused, as are armored files and passphrases.',
  ],
  params,
  returns: {
    path: { doc: 'The file, where a link leads.' },
    method: { doc: 'How it was, or would be, changed.' },
  },
  examples: `
- name: The backups open with the new key alone
  age_file:
    path: "{{ item.path }}"
    identity: "{{ pending.BACKUP_ENCRYPTION_KEY }}"
    old_identities: "{{ current.BACKUP_ENCRYPTION_KEY }}"
    recipients: ["{{ escrow_recipient }}"]
  loop: "{{ found.files }}"
  loop_control: { label: "{{ item.path }}" }
`,
  prepare,
  read: (t, { args, old }) => readAgeFile(t, args.path, [args.identity, ...old]),
  reread: (t, state) => readAgeFile(t, state.path, state.identities),
  want,
  write: writeAgeFile,
  result: ({ args }, before) => ({ path: before.path, method: args.method }),
  show: state => ({ header: state.path, text: renderState(state) }),
})

function renderState(state: AgeFileState): string {
  const header = headerOf(state)
  const lines = header.stanzas.map(({ words }) => `sealed for: ${words.join(' ')}\n`)
  return `${lines.join('')}data: ${state.nonce}\n`
}
