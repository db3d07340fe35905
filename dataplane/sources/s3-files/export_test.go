package s3files

import "weir/dataplane/pull"

// Remember makes a position keep so many objects that are done.
func Remember(p pull.Puller, objects int) { p.(*source).mostSeen = objects }
