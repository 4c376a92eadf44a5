package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podchecks "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	autoscalingvalidation "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"

	v1 "k8s.io/api/core/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	podsecuritypolicy "k8s.io/pod-security-admission/policy"
)

var decoder = serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDecoder()

// checkBuiltIn does what the API server does with an object that is created. It knows the kinds that we use.
func checkBuiltIn(json []byte) error {
	object, err := runtime.Decode(decoder, json)
	if err != nil {
		return err
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	if _, cluster := object.(*core.Namespace); !cluster && accessor.GetNamespace() == "" {
		return errors.New("metadata.namespace: Required value: it would go to whatever namespace is the current one")
	}
	problems, template, err := validate(object)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return problems.ToAggregate()
	}
	if template == nil {
		return nil
	}
	warnings := podchecks.GetWarningsForPodTemplate(context.Background(), field.NewPath("spec", "template"), template, nil)
	if len(warnings) > 0 {
		return errors.New("warning: " + strings.Join(warnings, "; "))
	}
	return checkPodSecurity(template)
}

// validate also gives the pod template of kinds that have one.
func validate(object runtime.Object) (field.ErrorList, *core.PodTemplateSpec, error) {
	switch object := object.(type) {
	case *apps.Deployment:
		template := &object.Spec.Template
		options := podchecks.GetValidationOptionsFromPodTemplate(template, nil)
		return appsvalidation.ValidateDeployment(object, options), template, nil
	case *apps.StatefulSet:
		template := &object.Spec.Template
		options := podchecks.GetValidationOptionsFromPodTemplate(template, nil)
		return appsvalidation.ValidateStatefulSet(object, options), template, nil
	case *batch.Job:
		// As in a CronJob: the selector is still to be made.
		template := &object.Spec.Template
		options := podchecks.GetValidationOptionsFromPodTemplate(template, nil)
		problems := corevalidation.ValidateObjectMeta(&object.ObjectMeta, true, corevalidation.ValidateReplicationControllerName,
			field.NewPath("metadata"))
		job := &batch.JobTemplateSpec{ObjectMeta: object.ObjectMeta, Spec: object.Spec}
		return append(problems, batchvalidation.ValidateJobTemplateSpec(job, nil, options)...), template, nil
	case *autoscaling.HorizontalPodAutoscaler:
		options := autoscalingvalidation.HorizontalPodAutoscalerSpecValidationOptions{MinReplicasLowerBound: 1}
		return autoscalingvalidation.ValidateHorizontalPodAutoscaler(object, options), nil, nil
	case *policy.PodDisruptionBudget:
		options := policyvalidation.PodDisruptionBudgetValidationOptions{}
		return policyvalidation.ValidatePodDisruptionBudget(object, options), nil, nil
	case *networking.NetworkPolicy:
		options := networkingvalidation.ValidationOptionsForNetworking(object, nil)
		return networkingvalidation.ValidateNetworkPolicy(object, options), nil, nil
	case *core.Service:
		return corevalidation.ValidateServiceCreate(object), nil, nil
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(object), nil, nil
	case *core.Secret:
		return corevalidation.ValidateSecret(object), nil, nil
	case *core.Namespace:
		return corevalidation.ValidateNamespace(object), nil, nil
	default:
		return nil, nil, fmt.Errorf("%T: this check does not know the kind", object)
	}
}

func checkPodSecurity(template *core.PodTemplateSpec) error {
	var external v1.PodTemplateSpec
	if err := corev1.Convert_core_PodTemplateSpec_To_v1_PodTemplateSpec(template, &external, nil); err != nil {
		return err
	}
	evaluator, err := podsecuritypolicy.NewEvaluator(podsecuritypolicy.DefaultChecks())
	if err != nil {
		return err
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	result := podsecuritypolicy.AggregateCheckResults(
		evaluator.EvaluatePod(restricted, &external.ObjectMeta, &external.Spec))
	if !result.Allowed {
		return errors.New("Pod Security restricted: " + result.ForbiddenDetail())
	}
	return nil
}
