package catalog

import (
	"slices"

	"github.com/go-json-experiment/json"

	"weir/shared/catalog/streams"
)

// Pulled reports whether the rows of a source of this kind are pulled.
func (s Spec) Pulled() bool { return len(s.Streams) > 0 || s.StreamsOf != "" }

// StreamsIn returns the streams of a source with these settings: those of the kind, or
// those that the setting StreamsOf names.
func (s Spec) StreamsIn(settings []byte) []streams.Outline {
	if s.StreamsOf == "" {
		return s.Streams
	}
	if s.Pull != nil {
		return s.PullOf(settings).Outlines()
	}
	return s.Feed.Of(settings, s.entries(settings))
}

// PullOf is how the streams of a source with these settings are read.
func (s Spec) PullOf(settings []byte) *streams.Spec { return s.Pull.Of(s.StreamsOf, settings) }

// entries are those of the setting that names streams. What is no map of texts has none.
func (s Spec) entries(settings []byte) (entries map[string]string) {
	given, _ := members(settings)
	if json.Unmarshal(given[s.StreamsOf], &entries) != nil {
		return nil
	}
	return entries
}

// specStreamsOf checks what a Spec says of streams that settings name.
func (c *checker) specStreamsOf(s Spec) {
	if !s.Feed.Stands(s.StreamsOf != "") || s.StreamsOf != "" && (s.Family != Sources || len(s.Streams) > 0) {
		c.add("streamsOf", "not_allowed", "Only sources without streams of their own have streams that settings name.")
	}
	if s.StreamsOf != "" && !slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == s.StreamsOf && f.Type == TypeMap && f.Required }) {
		c.add("streamsOf", "unknown_field", "This is no required field of the type map.")
	}
}
