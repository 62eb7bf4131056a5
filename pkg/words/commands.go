package words

import (
	"fmt"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Commands are those that people gave in a run, as in "pause by ann, resume by ben".
func Commands(all []v1beta1.CommandStatus) string {
	var parts []string
	for i := range all {
		cmd := &all[i]
		part := Verb(cmd)
		if cmd.Actor != "" {
			part += " by " + cmd.Actor
		}
		if !cmd.Accepted {
			part += " (refused)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// Verb is a command as it is typed.
func Verb(cmd *v1beta1.CommandStatus) string {
	switch {
	case cmd.Gate != "":
		return cmd.Verb + " " + cmd.Gate
	case cmd.Full:
		return cmd.Verb + " --full"
	}
	return cmd.Verb
}

// PausedBy is who paused a run, when and why.
func PausedBy(p *v1beta1.PauseStatus, k Clock) string {
	return "by " + somebody(p.Actor) + " at " + k.Near(p.Since.Time) + because(p.Reason)
}

// CommandDone is a command, who gave it, and what came of it.
func CommandDone(cmd *v1beta1.CommandStatus, k Clock) string {
	result := "done"
	if !cmd.Accepted {
		result = "refused"
	}
	if cmd.Result != "" {
		result += ": " + cmd.Result
	}
	return fmt.Sprintf("%s by %s at %s%s; %s", Verb(cmd), somebody(cmd.Actor), k.Near(cmd.At.Time), because(cmd.Reason), result)
}

func somebody(actor string) string {
	if actor == "" {
		return "somebody"
	}
	return actor
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return fmt.Sprintf(", %q", reason)
}

// CarriedOut finds a command in all that a status keeps of commands.
func CarriedOut(st *v1beta1.CanaryStatus, id string) *v1beta1.CommandStatus {
	var all []v1beta1.CommandStatus
	if st.LastCommand != nil {
		all = append(all, *st.LastCommand)
	}
	if st.Run != nil {
		all = append(all, st.Run.Commands...)
	}
	for i := range st.History {
		all = append(all, st.History[i].Commands...)
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}

// Behind is what the operator has not looked at yet, or nothing.
func Behind(canary *v1beta1.Canary) string {
	st := &canary.Status
	if st.ObservedGeneration < canary.Generation {
		return "the Canary as it is now"
	}
	command, err := v1beta1.ParseCommand(canary.Annotations[v1beta1.CommandAnnotation])
	if err == nil && CarriedOut(st, command.ID) == nil {
		return "the command " + command.Verb
	}
	return ""
}
