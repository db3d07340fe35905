package temporal

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"weir/dataplane/jobs"
	"weir/shared/fault"
)

// Names that histories hold.
const (
	driveName = "drive"
	stepName  = "step"
	kickName  = "kick"
	elsewhere = "elsewhere" // type of the failure of a step that another process is to do
)

// Times of steps. A step waits for its lane within stepTime.
const (
	stepTime  = 2 * time.Hour
	beatTime  = 20 * time.Second // without a sign of life a step is given to another process
	beatEvery = 5 * time.Second
	maxSteps  = 500 // of a workflow, which then goes on as a new one: no history grows long
)

// result is what histories hold of a step, encrypted.
type result struct {
	More bool
	Wait time.Duration
	Code string `json:",omitempty"`
	Rows int64  `json:",omitempty"`
}

// drive is the only workflow: it has the steps of a job done, one after the other, until
// its run is over. What is left to do is for the steps to know. A change of it has to
// replay the histories of testdata.
func drive(ctx workflow.Context, k jobs.Key) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTime, HeartbeatTimeout: beatTime,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 1.5, MaximumInterval: 2 * time.Second}, // of what is elsewhere
	})
	kicks := workflow.GetSignalChannel(ctx, kickName)
	failures := 0
	for range maxSteps {
		for kicks.ReceiveAsync(nil) { // the step sees what they were about
		}
		var r result
		err := workflow.ExecuteActivity(ctx, stepName, k).Get(ctx, &r)
		wait := r.Wait
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			failures++
			wait = jobs.Pause(kindOf(err), failures)
		case r.More:
			failures = 0
			continue
		case wait <= 0 && kicks.Len() == 0:
			return nil
		default:
			failures = 0
		}
		if err := rest(ctx, kicks, wait); err != nil {
			return err
		}
	}
	return workflow.NewContinueAsNewError(ctx, driveName, k)
}

// rest waits for a time or a kick.
func rest(ctx workflow.Context, kicks workflow.ReceiveChannel, wait time.Duration) error {
	if kicks.Len() > 0 {
		return nil
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	workflow.NewSelector(ctx).
		AddFuture(workflow.NewTimer(timerCtx, wait), func(workflow.Future) {}).
		AddReceive(kicks, func(c workflow.ReceiveChannel, _ bool) { c.ReceiveAsync(nil) }).
		Select(ctx)
	return ctx.Err()
}

// kinds are those of errors by their words, which are all that histories hold of them.
var kinds = func() map[string]fault.Kind {
	all := map[string]fault.Kind{}
	for k := fault.Internal; k <= fault.Unavailable; k++ {
		all[k.String()] = k
	}
	return all
}()

// failureOf is a step's error as histories may hold it.
func failureOf(err error) error {
	return temporal.NewNonRetryableApplicationError("", fault.KindOf(err).String(), nil)
}

// kindOf is the kind of a step's error.
func kindOf(err error) fault.Kind {
	var a *temporal.ApplicationError
	if errors.As(err, &a) {
		return kinds[a.Type()]
	}
	return fault.Unavailable // it took too long
}
