#!/usr/bin/env bash
# GRPO of a 0.9M model on two CPU cores, the whole way of a large run: Ray, vLLM, DeepSpeed.
# Made for `make openrlhf`. More flags can be given, and override those below.
set -euo pipefail
cd "$(dirname "$0")/../../.."
exec "${PYTHON:-python}" -m trainers.openrlhf --cpu \
    --out runs/openrlhf-tiny --source worlds:starter:0-39 --num-tasks 8 \
    --n-subagents 2 --format json --prompts short --max-turn-tokens 320 --reward paper \
    --actor.model_name_or_path agents/learned/lm/sft --data.max_len 2048 \
    --algo.advantage.estimator group_norm --algo.kl.init_coef 0 \
    --rollout.batch_size 8 --rollout.n_samples_per_prompt 8 --rollout.micro_batch_size 8 \
    --train.micro_batch_size 8 --train.num_episodes 1 \
    --actor.eps_clip_low_high 0.2 0.28 --actor.dual_clip 10 \
    --actor.adam.lr 3e-4 --actor.lr_warmup_ratio 0.05 --actor.max_norm 1.0 \
    --actor.num_nodes 1 --actor.num_gpus_per_node 1 --ref.num_nodes 1 --ref.num_gpus_per_node 1 \
    --vllm.num_engines 1 --vllm.enforce_eager \
    --ds.zero_stage 2 \
    "$@"
