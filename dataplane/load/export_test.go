package load

// Mistakes are those that tests can plant, by name.
func Mistakes() map[string]func(*Config) {
	all := map[string]func(*Config){}
	for m, name := range map[mistake]string{
		purgeFirst: "purge first", cursorFirst: "cursor first", namesNoFiles: "name no files", forgetCut: "forget the cut",
		untold: "untold", mergeIsEnough: "a failed merge is enough",
		sweepsAway: "sweep away",
	} {
		all[name] = func(c *Config) { c.planted = m }
	}
	return all
}
