package agent

import (
	"time"

	"weir/shared/id"
	"weir/shared/wire"
)

// Turns is what an agent does next, without what it does.
type Turns struct{ a Agent }

// NewTurns returns turns of an agent that wants nothing.
func NewTurns() *Turns { return &Turns{Agent{wants: map[id.Workspace]*want{}}} }

// Heard tells of a pointer.
func (t *Turns) Heard(ws id.Workspace, number uint64, now time.Time) {
	t.a.heard(wire.Pointer{Workspace: ws, Number: number}, now)
}

// Next returns the workspace whose turn it is, "" for none, and takes its turn.
func (t *Turns) Next(now time.Time) id.Workspace {
	list, _ := t.a.due(now, 1)
	if len(list) == 0 {
		return ""
	}
	t.a.done(list[0])
	return list[0].pointer.Workspace
}
