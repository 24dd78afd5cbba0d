package runner

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/bots/host"
	"branchbot/internal/fault"
)

func TestPipeCarriesWhatWasWritten(t *testing.T) {
	t.Parallel()
	var between bytes.Buffer
	writer, reader := newPipe(nil, &between, maxCall), newPipe(&between, nil, maxCall)
	if err := writer.write(kindCall, 7, methodSecret, "core", nil); err != nil {
		t.Fatal(err)
	}
	if err := writer.write(kindReply, 7, methodSecret, nil, fault.New(fault.Business, "already_submitted", "taken").WithFact("run", "run_a")); err != nil {
		t.Fatal(err)
	}
	call, err := reader.read()
	if err != nil {
		t.Fatal(err)
	}
	if want := (message{Kind: kindCall, ID: 7, Method: methodSecret, Body: []byte(`"core"`)}); !cmp.Equal(call, want) {
		t.Error(cmp.Diff(want, call))
	}
	reply, err := reader.read()
	if err != nil {
		t.Fatal(err)
	}
	refused := fault.Of(reply.Error.Err())
	if refused.Code != "already_submitted" || refused.Class != fault.Business || refused.Facts["run"] != "run_a" {
		t.Errorf("the error arrived as %+v", refused)
	}
	if _, err := reader.read(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last message: %v, want EOF", err)
	}
}

func TestPipeRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	head := binary.BigEndian.AppendUint32(nil, maxCall+1)
	if _, err := newPipe(bytes.NewReader(head), nil, maxCall).read(); !fault.HasCode(err, codeDamaged) {
		t.Errorf("a frame over the limit: %v", err)
	}
	finish := host.Finish{Output: []byte(`"` + strings.Repeat("x", maxCall) + `"`)}
	var sent bytes.Buffer
	if err := newPipe(nil, &sent, maxCall).write(kindFinish, 0, "", finish, nil); !fault.HasCode(err, codeTooLarge) || sent.Len() > 0 {
		t.Errorf("a finish over the limit: %v, %d bytes sent", err, sent.Len())
	}
}

// What a runner sends is never trusted: whatever the bytes, reading them gives
// messages or an error, and what was read can be written and read again.
func FuzzPipe(f *testing.F) {
	var whole bytes.Buffer
	if err := newPipe(nil, &whole, maxCall).write(kindCall, 1, methodAppend, map[string]any{"kind": "result"}, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()-1])
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x0a{\"id\": -1}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newPipe(bytes.NewReader(data), nil, 1<<16)
		for {
			m, err := p.read()
			if err != nil {
				return
			}
			var again bytes.Buffer
			if err := newPipe(nil, &again, maxCall).write(m.Kind, m.ID, m.Method, m.Body, m.Error.Err()); err != nil {
				t.Fatalf("write %+v again: %v", m, err)
			}
			back, err := newPipe(&again, nil, maxFrame).read()
			if err != nil || back.Kind != m.Kind || back.ID != m.ID || back.Method != m.Method {
				t.Fatalf("%+v came back as %+v (%v)", m, back, err)
			}
		}
	})
}
