import { problem } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { type Look, outcomeOf, proveSteady, steadyParams } from './steadiness.ts'
import { NoAnswer } from './uri-channel.ts'
import { requestParams } from './uri-request.ts'
import { send } from './uri-send.ts'

const { use_proxy: _1, use_netrc: _2, ...asked } = requestParams
const params = { ...asked, ...steadyParams } as const
type VerifyArgs = Args<typeof params>

const isAbout = (status: number): boolean => status === 401 || status === 403

/** 401 and 403 speak about the credential; so does a 2xx where a refusal is what is asked for. All else may pass. */
function judgeStatus(status: number, wanted: readonly number[]): Look {
  if (wanted.includes(status)) return { kind: 'good' }
  const why = `HTTP ${status}, not ${wanted.join(' or ')}`
  const isGranted = wanted.every(isAbout) && status >= 200 && status < 300
  if (isAbout(status) || isGranted)
    return { kind: 'refused', why: isGranted ? `${why}: it still counts` : why }
  return { kind: 'down', why }
}

async function look(t: Target, args: VerifyArgs, wanted: readonly number[]): Promise<Look> {
  try {
    const { response } = await send(t, { ...args, use_proxy: false, use_netrc: false })
    return judgeStatus(response.status, wanted)
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return { kind: 'down', why: `no answer: ${t.redactor.clean(error.message)}` }
  }
}

export const verify_http = defineAction({
  name: 'verify_http',
  summary: 'Proves by several HTTP requests in a row that a service works, or that it refuses a credential.',
  notes: [
    'uri is one look; a service that answers every other time passes it. This asks until `successes` answers in a row were as wanted.',
    '401 and 403 are an answer about the credential and fail at once; no answer, 5xx and the like are asked again, `retries` times.',
    'A service that is good now and then and not steady fails; in `verify` of a rotation it does not undo the run but holds it, when all else is green: `rota resume` looks again.',
  ],
  reads: true,
  params,
  returns: {
    looks: { doc: 'How many requests it took.' },
    verdict: { doc: '`steady`, `refused`, `down` or `flapping`.' },
  },
  examples: `
- name: The panel is healthy, five times in a row
  verify_http:
    url: http://127.0.0.1:3000/api/health
    successes: 5
- name: The old key is refused
  verify_http:
    url: http://127.0.0.1:3000/api
    headers: { X-Key: "{{ stale.API_KEY }}" }
    status_code: [401]
    successes: 1
`,
  async run(t, args) {
    const wanted = args.status_code.map(Number)
    if (args.successes < 1 || wanted.some(Number.isNaN))
      throw problem(
        'E_PARAMS',
        'verify_http: successes is at least 1, status_code a number or a list of them',
        {
          hint: 'write successes: 3, status_code: [200]',
        },
      )
    const steadiness = await proveSteady(t, args, () => look(t, args, wanted))
    return outcomeOf(steadiness, `HTTP ${wanted.join(' or ')}, ${args.successes} times in a row`)
  },
})
