package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// order is a command as it is typed.
type order struct {
	command v1beta1.Command
	noWait  bool
	timeout time.Duration
}

// verbs are the commands that the operator carries out.
func (c *cli) verbs() []*cobra.Command {
	return []*cobra.Command{
		c.verb(v1beta1.VerbPromote, "Agree to all that the run waits for now",
			"Agree to all that the run waits for now: its closed gates, a pause, the promotion.\n\n"+
				"With --full the run leaves out all steps and checks that are left, and is promoted once its pods are ready."),
		c.verb(v1beta1.VerbPause, "Hold the run at its step",
			"Hold the run at its step, until somebody resumes it. It is judged all the same, and rolled back where it fails."),
		c.verb(v1beta1.VerbResume, "End a pause",
			"End a pause: one that somebody has ordered, or that of the step."),
		c.verb(v1beta1.VerbAbort, "End the run; all traffic goes to the primary",
			"End the run. All traffic goes to the revision that serves, as far as the kind of the target allows it, and the "+
				"refused one is not tried again by itself."),
		c.verb(v1beta1.VerbRetry, "Try the revision again that was refused",
			"Begin a new run of the revision that was refused, from the first step."),
		c.verb(v1beta1.VerbApprove, "Agree in the name of a gate",
			"Agree in the name of one gate that the run waits for."),
		c.verb(v1beta1.VerbSkipStep, "Go on to the next step",
			"Go on to the next step without the checks of this one."),
	}
}

func (c *cli) verb(name, short, long string) *cobra.Command {
	o := &order{command: v1beta1.Command{Verb: name}}
	cmd := &cobra.Command{
		Use: name + " NAME", Short: short, Args: one, ValidArgsFunction: c.completeOne,
		Long: long + "\n\nThe command is carried out by the operator, once, and this waits for its answer.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				o.command.Gate = args[1]
			}
			return c.order(cmd.Context(), args[0], *o)
		},
	}
	f := cmd.Flags()
	switch name {
	case v1beta1.VerbPromote:
		f.BoolVar(&o.command.Full, "full", false, "leave out all steps and checks that are left")
	case v1beta1.VerbApprove:
		cmd.Use += " GATE"
		cmd.ValidArgsFunction = c.completeGate
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("give a Canary and one of its gates, as in: %s podinfo load-test", cmd.CommandPath())
			}
			return nil
		}
	}
	f.StringVarP(&o.command.Reason, "reason", "m", "", "why; it is kept in the run's history")
	f.StringVar(&o.command.Actor, "actor", "", "who wants it; defaults to your user in the cluster")
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait for the operator's answer")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait for the operator's answer")
	return cmd
}

// order writes a command for the operator, and waits for what comes of it.
func (c *cli) order(ctx context.Context, arg string, o order) error {
	k, err := c.connect()
	if err != nil {
		return err
	}
	canary, err := k.canary(ctx, arg)
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	go func() { answer <- k.order(ctx, canary, o) }()
	select {
	case err := <-answer:
		return err
	case <-time.After(slow):
		fmt.Fprintf(c.Err, "waiting for Weir's answer to %s, for %s at most\n", o.command.Verb, o.timeout)
		return <-answer
	}
}

// slow is how long an answer takes that one begins to wonder about.
const slow = 3 * time.Second

// order gives a command, and ends with what came of it.
func (k *cluster) order(ctx context.Context, canary *v1beta1.Canary, o order) error {
	o.command.ID = string(uuid.NewUUID())
	if o.command.Actor == "" {
		o.command.Actor = k.whoAmI(ctx)
	}
	if err := k.give(ctx, canary, o.command); err != nil {
		return err
	}
	if o.noWait {
		return end(0, "%s is ordered for Canary %s; Weir carries it out at its next look", o.command.Verb, canary.Name)
	}
	waiting, stop := context.WithTimeout(ctx, o.timeout)
	defer stop()
	err := k.follow(waiting, canary, false, func(w *world) *ending { return answered(w.canary, o.command) })
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return end(exitTimeout, "Weir has not answered within %s; is the operator running? "+
			"The command stays with the Canary and is carried out when it is", o.timeout)
	}
	return err
}

// give writes the command on the Canary.
func (k *cluster) give(ctx context.Context, canary *v1beta1.Canary, command v1beta1.Command) error {
	raw, err := json.Marshal(command)
	if err != nil {
		return fmt.Errorf("writing the command as JSON: %w", err)
	}
	if _, err := v1beta1.ParseCommand(string(raw)); err != nil {
		return err // Weir would refuse it with these words
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{v1beta1.CommandAnnotation: string(raw)},
	}})
	if err != nil {
		return fmt.Errorf("writing the patch as JSON: %w", err)
	}
	_, err = k.weir.WeirV1beta1().Canaries(k.namespace).
		Patch(ctx, canary.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// answered is what came of a command, once that is known.
func answered(canary *v1beta1.Canary, command v1beta1.Command) *ending {
	if done := words.CarriedOut(&canary.Status, command.ID); done != nil {
		if !done.Accepted {
			return end(exitError, "%s is refused: %s", command.Verb, done.Result)
		}
		return end(0, "Canary %s: %s", canary.Name, done.Result)
	}
	now, err := v1beta1.ParseCommand(canary.Annotations[v1beta1.CommandAnnotation])
	switch last := canary.Status.LastCommand; {
	case err == nil && now.ID == command.ID:
	case err != nil:
		return end(exitError, "somebody took the command away before Weir saw it; give it again")
	case last != nil && last.ID == now.ID: // had Weir seen this one first, its run would tell
		return end(exitError, "%s was not carried out, because %s by %s took its place before Weir saw it; give it again",
			command.Verb, last.Verb, last.Actor)
	}
	return nil
}

// whoAmI is the user as the API server knows them, or else as this machine does.
func (k *cluster) whoAmI(ctx context.Context) string {
	me, err := k.kube.AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err == nil && me.Status.UserInfo.Username != "" {
		return me.Status.UserInfo.Username
	}
	name := os.Getenv("USER")
	if known, err := user.Current(); name == "" && err == nil {
		name = known.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
