#!/usr/bin/env bash
# WideSeek-R1's settings on one machine of eight GPUs of 80 GB: policy, reference and vLLM share them.
# NOT RUN ON GPUS so far: `--dry-run` was. More flags can be given, and override those below.
set -euo pipefail
cd "$(dirname "$0")/../../.."
exec "${PYTHON:-python}" -m trainers.openrlhf \
    --out runs/qwen3-4b --source worlds:default:0-2499 --num-tasks 8 --kind hybrid \
    --eval-source hard --eval-tasks 64 --n-subagents 10 --reward paper --max-turn-tokens 8192 \
    --actor.model_name_or_path Qwen/Qwen3-4B --data.max_len 32768 \
    --algo.advantage.estimator group_norm \
    --algo.kl.use_loss --algo.kl.init_coef 0.001 --algo.kl.estimator k3 \
    --rollout.batch_size 128 --rollout.n_samples_per_prompt 8 --rollout.temperature 1.0 \
    --rollout.micro_batch_size 1 --train.micro_batch_size 1 --train.num_episodes 1 \
    --actor.eps_clip_low_high 0.2 0.28 --actor.dual_clip 10 \
    --actor.adam.lr 1e-6 --actor.lr_scheduler constant_with_warmup --actor.lr_warmup_ratio 0.02 \
    --actor.max_norm 1.0 --actor.gradient_checkpointing_enable \
    --actor.num_nodes 1 --actor.num_gpus_per_node 8 --ref.num_nodes 1 --ref.num_gpus_per_node 8 \
    --vllm.num_engines 4 --vllm.tensor_parallel_size 2 --vllm.enable_prefix_caching \
    --vllm.gpu_memory_utilization 0.6 --vllm.sync_backend nccl \
    --train.colocate_all --vllm.enable_sleep --ds.enable_sleep --ds.zero_stage 3 \
    --ckpt.save_steps 10 --ckpt.max_num 2 --eval.steps 20 --eval.n_samples_per_prompt 4 \
    "$@"
