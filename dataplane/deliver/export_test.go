package deliver

// Mistakes are those that tests can plant, by name.
func Mistakes() map[string]func(*Config) {
	all := map[string]func(*Config){}
	for m, name := range map[mistake]string{
		settleBeforePark: "settle before park", releaseBeforeDrain: "release before drain", overtakeInBatch: "overtake in a batch",
		noAnswerIsYes: "no answer is a yes", floorTooFar: "a floor too far", feedEnded: "feed what ended", parkLastFirst: "park the last first",
	} {
		all[name] = func(c *Config) { c.planted = m }
	}
	return all
}

// Narrow bounds the items of a lane that are in memory, and those between the
// oldest parked record that is not settled and the newest that is read.
func (c *Config) Narrow(window, span int) { c.window, c.span = window, span }
