package share

import (
	"sync"
	"sync/atomic"

	"weir/shared/id"
)

// Memory is bytes that workspaces share. One may hold at most four times what is
// free, so that any number of them together leaves some for another. It is safe for
// concurrent use.
type Memory struct {
	Most int64        // bytes; set before the first use
	Used atomic.Int64 // by workspaces, and by whatever else is counted here
	held sync.Map     // *Held by workspace
}

// Of returns what a workspace holds.
func (m *Memory) Of(ws id.Workspace) *Held {
	h, ok := m.held.Load(ws)
	if !ok {
		h, _ = m.held.LoadOrStore(ws, &Held{memory: m})
	}
	return h.(*Held)
}

// Held is the bytes that one workspace holds.
type Held struct {
	memory *Memory
	bytes  atomic.Int64
}

// Fits reports whether the workspace may hold so many bytes more.
func (h *Held) Fits(bytes int64) bool {
	free := h.memory.Most - h.memory.Used.Load() - bytes
	return free >= 0 && h.bytes.Load()+bytes <= 4*free
}

// Add counts bytes that it holds from now on, or no more when they are negative.
func (h *Held) Add(bytes int64) {
	h.bytes.Add(bytes)
	h.memory.Used.Add(bytes)
}
