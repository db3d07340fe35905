package console

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"weir/shared/command"
)

// How a Progress is shown.
const (
	barWidth   = 24
	linesEvery = 10 * time.Second // where nobody's terminal is
	firstLine  = time.Second      // what is over before needs none
)

// Progress shows on standard error how far something long is: on a terminal a bar that is
// drawn again, else a line now and then. It is used by one goroutine.
type Progress struct {
	k        *Console
	what     string
	terminal bool
	began    time.Time
	from     int // done when it began
	shown    time.Time
	width    int // of what is drawn
}

// Progress begins to show how far what is.
func (k *Console) Progress(what string) *Progress {
	dumb, _ := k.Env("TERM")
	return &Progress{k: k, what: command.Clean(what), terminal: k.Terminal(k.Err) && dumb != "dumb", began: time.Now(), from: -1}
}

// Show shows that so many of total are done, -1 where that is not known; note is what
// holds it up, "" for nothing.
func (p *Progress) Show(done, total int, note string) {
	now := time.Now()
	if p.from < 0 {
		p.from = done
	}
	line := p.line(done, total, now)
	if note != "" {
		line += "  " + command.Clean(note)
	}
	if !p.terminal {
		if now.Sub(p.began) >= firstLine && now.Sub(p.shown) >= linesEvery {
			p.shown = now
			p.k.Note("%s", line)
		}
		return
	}
	width := utf8.RuneCountInString(line)
	_, _ = fmt.Fprintf(p.k.Err, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-width)))
	p.width = width
}

// line is a bar with numbers.
func (p *Progress) line(done, total int, now time.Time) string {
	line := p.what
	if total > 0 {
		full := min(barWidth, barWidth*done/total)
		line += "  " + strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	}
	line += fmt.Sprintf("  %d", done)
	if total >= 0 {
		line += fmt.Sprintf(" of %d", total)
	}
	took := now.Sub(p.began).Seconds()
	if rate := float64(done-p.from) / max(took, 0.001); took >= 1 && rate >= 1 {
		line += fmt.Sprintf("  %.0f/s", rate)
		if left := float64(total-done) / rate; total > done {
			line += fmt.Sprintf("  %v left", time.Duration(left+1)*time.Second)
		}
	}
	return line
}

// End takes the bar away.
func (p *Progress) End() {
	if p.terminal && p.width > 0 {
		_, _ = fmt.Fprintf(p.k.Err, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}
