package temporal

import (
	"go.temporal.io/sdk/converter"

	"weir/dataplane/jobs"
)

// Drive is the workflow.
var Drive = drive

// Data opens the payloads that a key seals.
func Data(key []byte) (converter.DataConverter, error) {
	sealed, err := newCodec(key)
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), sealed), err
}

// Spec is when a server begins the runs of a job.
var Spec = func(w jobs.Want) (intervals, calendars int) {
	spec := specOf(w)
	return len(spec.Intervals), len(spec.Calendars)
}
