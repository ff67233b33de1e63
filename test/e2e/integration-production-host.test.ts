// The same scenes on the container host, with its own engine and `docker compose`; the doubles listen beside it.
import { describe } from 'vitest'
import { whyNoLab } from '../lab/labhosts.ts'
import { playIntegrationScenes } from './integration-scenes.ts'
import { openProductionStage } from './stage.ts'

const why = whyNoLab()
if (why) console.log(`skipped, integration secrets on the production host: ${why}`)
describe.skipIf(why)('on the production host', () => playIntegrationScenes(openProductionStage, false))
