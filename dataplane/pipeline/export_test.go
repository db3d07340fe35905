package pipeline

import "weir/dataplane/journal"

// Mistakes are those that tests can plant, by name.
func Mistakes() map[string]func(*Config) {
	all := map[string]func(*Config){}
	for m, name := range map[mistake]string{
		purgeOpenFrames: "purge open frames", dedupeWithoutFrame: "dedupe without the frame",
		skipMissed: "skip what was missed", resumeNothing: "resume nothing", forgetDrained: "forget what was drained",
		offerBeforeFan: "offer before the fan", bookQuarantineOnly: "book quarantined ones only",
	} {
		all[name] = func(c *Config) { c.planted = m }
	}
	for m, name := range map[journal.Mistake]string{
		journal.ForgetOpenings: "a checkpoint without what is open", journal.LostAnswerIsYes: "a lost answer is a yes",
		journal.WriteOverSuccessor: "write over a successor", journal.TakeoverWithoutKeys: "a takeover without keys",
		journal.ParkedIsDelivered: "parked is delivered", journal.CheckpointWithoutDone: "a checkpoint without what is done",
	} {
		all[name] = func(c *Config) { c.plantedInJournal = m }
	}
	return all
}
