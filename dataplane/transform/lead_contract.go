package transform

import (
	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/id"
)

type Script struct{ Name, Code string }
type Chain struct{ Key string }

func Compile(scripts, libraries []Script) (*Chain, []fault.Problem) { return &Chain{}, nil }

type Meta struct {
	Workspace                        id.Workspace
	Source                           id.Source
	SourceName, SourceType           string
	Destination                      id.Destination
	DestinationName, DestinationType string
}
type Result struct {
	Outs            []Out
	Ends            []End
	Logs            []Log
	DestinationRead bool
}
type Out struct {
	From  int
	Event event.Event
}
type End struct {
	From        int
	Quarantined bool
	Code, Text  string
}
type Log struct {
	From        int
	Level, Text string
}
type Checks struct{}

func CompileChecks(settings []byte) (*Checks, []fault.Problem)       { return nil, nil }
func (c *Checks) Apply(e event.Event) (out event.Event, drop string) { return e, "" }
