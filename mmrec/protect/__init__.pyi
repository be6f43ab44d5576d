from .forgetting import without as without
from .forgetting import rank_update as rank_update
from .forgetting import drop_from_inverse as drop_from_inverse
from .forgetting import inverse_gram as inverse_gram
from .forgetting import forget as forget
from .forgetting import shard_of as shard_of
from .forgetting import Sharded as Sharded
