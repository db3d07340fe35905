package temporal

import (
	"hash/fnv"
	"time"

	"github.com/robfig/cron/v3"
	"go.temporal.io/sdk/client"

	"weir/dataplane/jobs"
)

// Times of schedules.
const (
	cronJitter = 5 * time.Second // spreads the jobs of one minute
	lookEvery  = 24 * time.Hour  // of jobs that are only kicked: a server forgets schedules that begin nothing
	catchUp    = 24 * time.Hour  // what a server that was away begins late, at least
)

// specOf is when a server begins the runs of a job: times of an interval are spread by
// keys, those of a cron are the ones that the library of cron finds.
func specOf(w jobs.Want) client.ScheduleSpec {
	spec := client.ScheduleSpec{TimeZoneName: "UTC"}
	if w.Every > 0 || w.Cron == "" {
		every := max(w.Every, time.Second).Truncate(time.Second)
		if w.Every <= 0 {
			every = lookEvery
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(w.Key))
		spec.Intervals = []client.ScheduleIntervalSpec{{Every: every, Offset: time.Duration(h.Sum64()%uint64(every/time.Second)) * time.Second}}
	}
	if w.Cron == "" {
		return spec
	}
	parsed, err := cron.ParseStandard(w.Cron)
	fields, ok := parsed.(*cron.SpecSchedule)
	if err != nil || !ok {
		return spec
	}
	spec.Jitter = cronJitter
	day := client.ScheduleCalendarSpec{Minute: ranges(fields.Minute), Hour: ranges(fields.Hour), Month: ranges(fields.Month)}
	if star(fields.Dom) || star(fields.Dow) {
		day.DayOfMonth, day.DayOfWeek = ranges(fields.Dom), ranges(fields.Dow)
		spec.Calendars = []client.ScheduleCalendarSpec{day}
		return spec
	}
	of := day // either of the days that are named
	day.DayOfMonth, of.DayOfWeek = ranges(fields.Dom), ranges(fields.Dow)
	spec.Calendars = []client.ScheduleCalendarSpec{day, of}
	return spec
}

// star reports whether a field of cron is a star.
func star(field uint64) bool { return field>>63 == 1 }

// ranges are the values of a field.
func ranges(field uint64) (all []client.ScheduleRange) {
	for n := range 60 {
		if field>>n&1 == 0 {
			continue
		}
		if last := len(all) - 1; last >= 0 && all[last].End == n-1 {
			all[last].End = n
		} else {
			all = append(all, client.ScheduleRange{Start: n, End: n})
		}
	}
	return all
}
