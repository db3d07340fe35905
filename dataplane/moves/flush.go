package moves

import (
	"context"
	"errors"

	"weir/shared/fault"
	"weir/shared/id"
)

// flush writes what the parts have done. What cannot be written now is written later.
func (b *Board) flush(ctx context.Context) {
	b.mu.Lock()
	due := map[id.Workspace]map[string]map[int]news{}
	for job, parts := range b.fresh {
		for n, x := range parts {
			if due[x.ws] == nil {
				due[x.ws] = map[string]map[int]news{}
			}
			if due[x.ws][job] == nil {
				due[x.ws][job] = map[int]news{}
			}
			due[x.ws][job][n] = *x
		}
	}
	b.mu.Unlock()
	for ws, all := range due {
		err := b.update(ctx, ws, func(d *document) error {
			for job, parts := range all {
				for n, x := range parts {
					if j := d.find(job); j != nil {
						j.take(n, &x)
					}
				}
			}
			d.forget()
			return nil
		}, func() { b.written(all) })
		if err != nil && ctx.Err() == nil {
			b.cfg.Log.WarnContext(ctx, "progress of jobs not written", "workspace", ws, "kind", fault.KindOf(err).String())
		}
	}
}

// written takes what was written from what is to be written; mu is held.
func (b *Board) written(all map[string]map[int]news) {
	for job, parts := range all {
		for n, did := range parts {
			x := b.fresh[job][n]
			x.moved -= did.moved
			if x.at == did.at {
				x.at = nil
			}
			if x.reason == did.reason {
				x.reason, x.failed = nil, false
			}
			if x.moved == 0 && x.at == nil && x.reason == nil {
				delete(b.fresh[job], n)
			}
		}
		if len(b.fresh[job]) == 0 {
			delete(b.fresh, job)
		}
	}
}

// faultOf returns the fault in an error's chain.
func faultOf(err error) (known *fault.Error, ok bool) {
	ok = errors.As(err, &known)
	return known, ok
}
