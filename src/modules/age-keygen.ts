import { renderBech32 } from '../core/bech32.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { recipientOf } from '../resources/age-header.ts'

const SCALAR_BYTES = 32

export const age_keygen = defineAction({
  name: 'age_keygen',
  summary: 'Makes an age key pair on your machine, as age-keygen does; nothing is written anywhere.',
  params: {
    label: { type: 'string', default: 'age identity', doc: 'What the key is called where it is not shown.' },
  },
  reads: true,
  returns: {
    identity: { doc: 'The private key, `AGE-SECRET-KEY-1…`: a secret.' },
    recipient: { doc: 'The public key that belongs to it: `age1…`.' },
  },
  examples: `
- name: The key of the next period
  age_keygen: { label: BACKUP_ENCRYPTION_KEY }
  register: made
`,
  async run(t, { label }): Promise<Outcome> {
    const bytes = t.operator.random(SCALAR_BYTES)
    const identity = new Secret(renderBech32('age-secret-key-', bytes).toUpperCase(), label)
    t.redactor.add(identity)
    const recipient = renderBech32('age', recipientOf(identity))
    return { changed: false, values: { identity, recipient } }
  },
})
