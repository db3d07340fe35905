// Package lag is how far a stream of changes is behind its source.
package lag

import (
	"encoding/json"
	"time"
)

// Lag is how far a stream is behind, as its cursor has it in the member lag. It holds no
// values of rows.
type Lag struct {
	At     time.Time `json:"at"`              // when it was seen
	Caught time.Time `json:"caught"`          // when all that there was was pulled last
	Bytes  int64     `json:"bytes"`           // of changes that are not pulled
	Kept   int64     `json:"kept"`            // bytes that the source keeps for the stream
	Limit  int64     `json:"limit,omitempty"` // of Kept, past which the changes are given up; 0: none is known
	State  string    `json:"state"`           // in the source's word
	Risk   bool      `json:"risk,omitempty"`  // the source is about to give changes up
	Lost   bool      `json:"lost,omitempty"`  // it did, and all is read anew
}

// Of reads the lag of a cursor; ok is false where it says none.
func Of(cursor []byte) (l Lag, ok bool) {
	var x struct{ Lag *Lag }
	if json.Unmarshal(cursor, &x) != nil || x.Lag == nil {
		return Lag{}, false
	}
	return *x.Lag, true
}

// Times of lags.
const (
	seen  = 2 * time.Minute  // a stream that runs says so often how far it is
	alarm = 15 * time.Minute // it is behind
)

// Seconds is for how long changes have been waiting, about.
func (l *Lag) Seconds(now time.Time) int64 {
	behind := l.At.Sub(l.Caught)
	if age := now.Sub(l.At); age > seen {
		behind = now.Sub(l.Caught)
	}
	return int64(max(0, behind).Seconds())
}

// Codes of lags.
const (
	CodeLost   = "source_slot_lost"
	CodeBehind = "source_slot_behind"
)

// Code says what is wrong with the stream, "" for nothing: that changes were given up,
// that they are about to be, or that they have been waiting for long.
func (l *Lag) Code(now time.Time) string {
	switch {
	case l.Lost:
		return CodeLost
	case l.Risk, l.Limit > 0 && l.Kept > l.Limit/2, l.Seconds(now) > int64(alarm.Seconds()):
		return CodeBehind
	}
	return ""
}
