package load

// mistake is one that a test plants, to prove that the simulation would find it.
// Nothing but tests can: Config.planted has no setter outside of them.
type mistake uint8

// The mistakes are those that a change could bring in at the places where the
// order of two steps keeps a promise.
const (
	none          mistake = iota
	purgeFirst            // STAGE is purged before its rows are merged
	cursorFirst           // the cursor moves before the rows are merged
	namesNoFiles          // the manifest counts as staged before its files are whole
	forgetCut             // what is beyond a full load counts as loaded
	untold                // a refused event of which nobody could be told is purged
	mergeIsEnough         // a merge that gave an error counts as done
	sweepsAway            // who has no job at the moment counts as removed
)
