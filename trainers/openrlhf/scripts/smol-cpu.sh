#!/usr/bin/env bash
# A few steps of a real pretrained model, SmolLM2-135M-Instruct, on a CPU in bfloat16. As it comes it
# writes hardly a tool call and has reward 0 in every episode, which leaves GRPO nothing to compare;
# so a critic it is. This shows drift and the log-probability gap, and no learning.
set -euo pipefail
cd "$(dirname "$0")/../../.."
PYTHON="${PYTHON:-python}"
MODEL="${MODEL:-runs/smollm2}"
"$PYTHON" -m wideseek_env smollm2 --out "$MODEL"
exec "$PYTHON" -m trainers.openrlhf --cpu --cpu-bf16 \
    --out runs/openrlhf-smol --source worlds:starter:0-7 --num-tasks 4 --save-episodes \
    --n-subagents 2 --format hermes --few-shot --max-turn-tokens 64 --max-lead-turns 2 \
    --max-subagent-turns 3 --reward paper \
    --actor.model_name_or_path "$MODEL" --data.max_len 1536 --data.max_samples 6 \
    --algo.advantage.estimator gae --algo.advantage.lambd 0.95 --algo.kl.init_coef 0 \
    --critic.num_gpus_per_node 1 --critic.adam.lr 1e-5 \
    --rollout.batch_size 2 --rollout.n_samples_per_prompt 4 --rollout.micro_batch_size 1 \
    --train.micro_batch_size 1 --train.num_episodes 1 \
    --actor.eps_clip_low_high 0.2 0.28 --actor.adam.lr 1e-5 --actor.lr_warmup_ratio 0.0 \
    --actor.num_nodes 1 --actor.num_gpus_per_node 1 --vllm.num_engines 1 --vllm.enforce_eager \
    --ds.zero_stage 2 \
    "$@"
