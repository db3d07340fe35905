package draft

import (
	"strings"
	"testing"

	"weir/shared/fault"
)

func TestARollbackSaysOfSecretsThatAreGoneWhatToDo(t *testing.T) {
	t.Parallel()
	other := fault.Problem{Path: "sources[0].writeKey", Code: "write_key_taken", Text: "Taken."}
	err := gone(fault.Problems("refused", []fault.Problem{{Path: "destinations[0].secrets.headers", Code: "secret_missing", Text: "Send its value sealed."}, other}), 7)
	problems := fault.ProblemsOf(err)
	if fault.KindOf(err) != fault.Invalid || len(problems) != 2 || !strings.Contains(problems[0].Text, "of revision 7 is not kept any more") || problems[1] != other {
		t.Errorf("got %v with %+v, want a sentence about the secret, and the other problem as it is", err, problems)
	}
	plain := fault.New(fault.Conflict, "somebody was faster")
	if got := gone(plain, 7); got != error(plain) {
		t.Errorf("got %v, want %v", got, plain)
	}
}
