package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// restartedAt is the annotation of a template by which `kubectl rollout restart` makes new pods.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

func (c *cli) restart() *cobra.Command {
	return &cobra.Command{
		Use:   "restart NAME",
		Short: "Release the same template again, with new pods",
		Long: `Release the same template again, with new pods.

This does to the target what kubectl rollout restart does, which refuses a paused Deployment, and takes the same
right: to patch it. What comes of it is a run like any other, step by step.`,
		Args:              one,
		ValidArgsFunction: c.completeOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.connect()
			if err != nil {
				return err
			}
			return c.renew(cmd.Context(), k, args[0])
		},
	}
}

func (c *cli) renew(ctx context.Context, k *cluster, arg string) error {
	canary, err := k.canary(ctx, arg)
	if err != nil {
		return err
	}
	switch {
	case canary.DeletionTimestamp != nil:
		return end(exitError, "Canary %s is being deleted; wait until it is gone and use kubectl rollout restart", canary.Name)
	case canary.Status.Primary == nil:
		return end(exitError, "%s is not taken over yet, so it would not be released step by step; "+
			"wait until Canary %s is Initialized", words.TargetOf(canary), canary.Name)
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{restartedAt: c.Now().Format(time.RFC3339)}},
	}}})
	if err != nil {
		return fmt.Errorf("writing the patch as JSON: %w", err)
	}
	if err := k.workloads(canary).patch(ctx, canary.Spec.TargetRef.Name, patch); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s has a new template, and a run of it begins%s; follow it with `%s`\n",
		words.TargetOf(canary), besides(canary), k.say("status", canary.Name, "--wait"))
	return nil
}

// besides is what else a new template means where the Canary stands.
func besides(canary *v1beta1.Canary) string {
	switch {
	case canary.Spec.Suspend:
		return " once spec.suspend is false again"
	case words.Refused(canary) != "":
		return " once the spec can be carried out (" + words.Refused(canary) + ")"
	case canary.Status.Run != nil:
		return ", in the place of the one that is on"
	case canary.Status.Phase == v1beta1.PhaseFailed:
		return "; it is the template that was refused, with new pods"
	}
	return ""
}
