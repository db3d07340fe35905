package pipeline

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Alarm is something that an operator has to know. Code is one of wire's codes
// or settlement_unknown.
type Alarm struct {
	Code  string
	Count int64
	Since time.Time
	Last  time.Time
}

// Codes of alarms; see also those of the journal.
const (
	alarmFrame   = "frame_damaged"     // a frame could not be read; it lies in BAD
	alarmNewer   = "too_new"           // a frame of a newer version: the partition waits
	alarmLost    = "state_damaged"     // frames that the journal expects are not there
	alarmJump    = "clock_jump"        // frames are of a time far ahead: the dedupe index forgets nothing
	alarmStopped = "partition_stopped" // the partition ended and is started again

	alarmKeys    = "dedupe_damaged" // so many dedupe keys were damaged on the disk
	alarmBlocked = "dedupe_blocked" // dedupe keys cannot be written, so the partition waits
)

// alarms are those of a partition, by code.
type alarms struct {
	log      *slog.Logger
	reported func(code string) // hears of every alarm

	mu sync.Mutex
	on map[string]*Alarm
}

// raise counts an alarm; only the first of its code is logged.
func (a *alarms) raise(code string) {
	a.reported(code)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.on == nil {
		a.on = map[string]*Alarm{}
	}
	if on := a.on[code]; on != nil {
		on.Count++
		on.Last = now
		return
	}
	a.on[code] = &Alarm{Code: code, Count: 1, Since: now, Last: now}
	a.log.Error("partition raised an alarm", "code", code)
}

// set raises an alarm of count, or takes it back when that is 0.
func (a *alarms) set(code string, count int64) {
	if count == 0 {
		a.clear(code)
		return
	}
	a.mu.Lock()
	on := a.on[code]
	if on != nil {
		on.Count, on.Last = count, time.Now()
	}
	a.mu.Unlock()
	if on == nil {
		a.raise(code)
		a.set(code, count)
	}
}

// clear takes alarms back.
func (a *alarms) clear(codes ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, code := range codes {
		if a.on[code] != nil {
			delete(a.on, code)
			a.log.Info("partition took an alarm back", "code", code)
		}
	}
}

func (a *alarms) list() []Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]Alarm, 0, len(a.on))
	for _, on := range a.on {
		all = append(all, *on)
	}
	slices.SortFunc(all, func(x, y Alarm) int { return cmp.Compare(x.Code, y.Code) })
	return all
}
