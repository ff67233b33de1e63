// The same scenes on a host as the checklist describes it: sshd, sudo, a container engine and `docker compose`.
import { describe } from 'vitest'
import { whyNoLab } from '../lab/labhosts.ts'
import { playScenes } from './scenes.ts'
import { openProductionStage } from './stage.ts'

const why = whyNoLab()
if (why) console.log(`skipped, rotation on the production host: ${why}`)
describe.skipIf(why)('on the production host', () => playScenes(openProductionStage, true))
