package loadtest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/loadtest/traffic"
)

// The types of tasks, as a webhook's metadata name them.
const (
	typeCmd     = "cmd"
	typeBash    = "bash"
	typeHelm    = "helm"
	typeHelmV3  = "helmv3"
	typeKubectl = "kubectl"
	typeK6      = "k6"
	typeHTTP    = "http"
	typeGRPC    = "grpc"
)

// task is what a call asks for.
type task struct {
	kind, namespace, canary string
	// key is the same for the same task of the same Canary, and where its result is waited for, of the same run.
	key [sha256.Size]byte
	// what is done, for people, without what may be secret.
	what string
	// wait says that the answer is the result, and else that it has begun.
	wait bool
	// logOutput says that the output may be logged.
	logOutput bool
	// load is set where it is one.
	load traffic.Load
	run  func(ctx context.Context, observe func(traffic.Answer)) outcome
}

// outcome is what came of a task.
type outcome struct {
	ok bool
	// words say so, without what a command printed.
	words  string
	report *traffic.Report
	output string
}

// taskOf is the task that a call asks for.
func taskOf(p gate.Payload, c commands, l traffic.Limits) (*task, error) {
	t := &task{kind: p.Metadata["type"], namespace: p.Namespace, canary: p.Name}
	if t.kind == "" {
		t.kind = typeCmd
	}
	if err := t.fill(p.Metadata, c, l); err != nil {
		return nil, refuse(badRequest, "%v", err)
	}
	var err error
	if t.logOutput, err = boolean(p.Metadata, "logCmdOutput", false); err != nil {
		return nil, refuse(badRequest, "%v", err)
	}
	// Load goes on while the canary is analysed; a test is waited for.
	if t.wait, err = boolean(p.Metadata, "wait", t.load == nil && t.kind != typeCmd); err != nil {
		return nil, refuse(badRequest, "%v", err)
	}
	same := []any{p.Namespace, p.Name, p.Metadata}
	if t.wait { // the result is that of a revision
		same = append(same, p.Checksum, p.RunID)
	}
	encoded, err := json.Marshal(same)
	if err != nil {
		return nil, fmt.Errorf("reading the metadata: %w", err)
	}
	t.key = sha256.Sum256(encoded)
	return t, nil
}

// fill says what the task does.
func (t *task) fill(metadata map[string]string, c commands, l traffic.Limits) error {
	switch t.kind {
	case typeHTTP:
		load, err := traffic.HTTPOf(metadata, l, "type", "wait", "minSuccessRate")
		if err != nil {
			return err
		}
		return t.sends(load, metadata)
	case typeGRPC:
		load, err := traffic.GRPCOf(metadata, l, "type", "wait", "minSuccessRate")
		if err != nil {
			return err
		}
		return t.sends(load, metadata)
	case typeK6:
		if script, ok := metadata["script"]; ok {
			return t.runsScript(script, c)
		}
	case typeCmd, typeBash, typeHelm, typeHelmV3, typeKubectl:
	default:
		return fmt.Errorf("metadata type: %q is none of %s", t.kind, strings.Join([]string{
			typeCmd, typeBash, typeHelm, typeHelmV3, typeKubectl, typeK6, typeHTTP, typeGRPC}, ", "))
	}
	line := metadata["cmd"]
	if line == "" {
		return fmt.Errorf("metadata cmd: a task of type %s is a command, and there is none", t.kind)
	}
	return t.runsLine(line, metadata, c, l)
}

// runsLine makes a task of a command.
func (t *task) runsLine(line string, metadata map[string]string, c commands, l traffic.Limits) error {
	if t.kind == typeBash {
		if !c.shell {
			return errors.New("metadata type: bash is not allowed here: whoever runs the load tester allows a shell with --allow-shell")
		}
		t.runs([]string{"bash", "-c", line}, "bash")
		return nil
	}
	words, plain, err := wordsOf(line)
	switch {
	case err != nil:
		return fmt.Errorf("metadata cmd: %w", err)
	case !plain && t.kind == typeCmd && c.shell:
		t.runs([]string{"sh", "-c", line}, "sh")
		return nil
	case !plain:
		return errors.New("metadata cmd: the command needs a shell, for one of ; & | < > ( ) $NAME outside of quotes, " +
			"or for $( or `: make it one program with its arguments; type cmd has a shell where --allow-shell is set")
	}
	switch t.kind {
	case typeHelm, typeHelmV3:
		words = append([]string{"helm"}, words...)
	case typeKubectl, typeK6:
		words = append([]string{t.kind}, words...)
	}
	if !c.allows(words) {
		if load, ours, err := known(words, l); ours {
			if err != nil {
				return fmt.Errorf("metadata cmd: %w", err)
			}
			return t.sends(load, metadata)
		}
	}
	t.runs(words, words[0])
	return c.check(words)
}

// known gives the load that the command of a known program asks for, so that the program need not be here.
func known(words []string, l traffic.Limits) (load traffic.Load, ours bool, err error) {
	switch words[0] {
	case "hey":
		load, err = traffic.Hey(words[1:], l)
	case "ghz":
		load, err = traffic.Ghz(words[1:], l)
	default:
		return nil, false, nil
	}
	return load, true, err
}

// runs makes the task one of running a program.
func (t *task) runs(words []string, what string) {
	t.what = what
	t.run = func(ctx context.Context, _ func(traffic.Answer)) outcome {
		output, err := execute(ctx, words)
		if err != nil {
			return outcome{words: err.Error(), output: output}
		}
		return outcome{ok: true, words: what + " succeeded", output: output}
	}
}

// runsScript makes the task one of running a script by k6.
func (t *task) runsScript(script string, c commands) error {
	t.what = typeK6
	t.run = func(ctx context.Context, _ func(traffic.Answer)) outcome {
		scratch, err := os.MkdirTemp("", "weir-k6-")
		if err != nil {
			return outcome{words: fmt.Sprintf("making room for the script: %v", err)}
		}
		defer os.RemoveAll(scratch)
		file := filepath.Join(scratch, "script.js")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			return outcome{words: fmt.Sprintf("writing the script: %v", err)}
		}
		run := &task{}
		run.runs([]string{typeK6, "run", file}, typeK6)
		return run.run(ctx, nil)
	}
	return c.check([]string{typeK6, "run"})
}

// sends makes the task one of sending load.
func (t *task) sends(load traffic.Load, metadata map[string]string) error {
	least, err := percentage(metadata, "minSuccessRate", 100)
	if err != nil {
		return err
	}
	t.load, t.what = load, "load on "+load.Host()
	t.run = func(ctx context.Context, observe func(traffic.Answer)) outcome {
		report, err := load.Run(ctx, observe)
		if err != nil {
			return outcome{words: err.Error()}
		}
		o := outcome{ok: report.Requests > 0 && report.SuccessRate() >= least, words: t.what + ": " + report.String(), report: report}
		if !o.ok {
			o.words = fmt.Sprintf("less than %v%% succeeded of the %s", least, o.words)
		}
		return o
	}
	return nil
}

func boolean(metadata map[string]string, key string, without bool) (bool, error) {
	said, ok := metadata[key]
	if !ok {
		return without, nil
	}
	value, err := strconv.ParseBool(said)
	if err != nil {
		return false, fmt.Errorf("metadata %s: %q is neither true nor false", key, said)
	}
	return value, nil
}

func percentage(metadata map[string]string, key string, without float64) (float64, error) {
	said, ok := metadata[key]
	if !ok {
		return without, nil
	}
	value, err := strconv.ParseFloat(said, 64)
	if err != nil || !(value >= 0 && value <= 100) {
		return 0, fmt.Errorf("metadata %s: %q is no percentage from 0 to 100", key, said)
	}
	return value, nil
}
