// Package telemetry builds what a process tells about itself: its logger, its
// metrics, and the handler of its metrics address.
//
// It is never given content: log attributes and metric labels are identifiers
// of configuration objects, codes, numbers and times, under the keys declared
// here. There is no redaction, because there is nothing to redact; a secret
// that gets here by mistake prints as *** (secret.String).
package telemetry

// Keys of log attributes. One thing has one key in all processes.
const (
	KeyWorkspace   = "workspace"
	KeyPlane       = "plane"
	KeyRegion      = "region"
	KeySource      = "source"
	KeyDestination = "destination"
	KeyConnection  = "connection"
	KeyNumber      = "number" // of a revision
	KeyDigest      = "digest"
	KeyPartition   = "partition"
	KeySequence    = "sequence"
	KeyCode        = "code"
	KeyCount       = "count"
	KeyBytes       = "bytes"
	KeyTook        = "took"
	KeyAddress     = "address"
	KeyAttempt     = "attempt"
	KeyStage       = "stage"
	KeyError       = "error"
)
